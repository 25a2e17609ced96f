// Looks after the rows now and then: every turn reaches a final state whatever was lost, and what is past its retention goes.
import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from '@temporalio/client'
import type { Logger } from 'pino'
import { workflowId, type TurnFailure } from '../contracts/engine.ts'
import { forgetOld, type Retention } from '../db/queries/retention.ts'
import { acceptTurn, finishTurn, listUnfinished } from '../db/queries/turns.ts'
import type { Storage } from '../db/storage.ts'
import { holds } from '../workflows/messages.ts'
import { isOpen, orWhenNotFound } from './engine.ts'
import { sweepApprovals } from './sweep-approvals.ts'
import { sweepFiles } from './sweep-files.ts'
import { sweepJobs } from './sweep-jobs.ts'
import { sweepMcpServers } from './sweep-mcp-servers.ts'

/** A turn younger than this is left alone: its acceptance may be under way. */
const MIN_AGE_MS = 30_000
const PAGE = 100
/** Files are looked through less often: all that are old and unread are, each time. */
const FILES_MS = 3_600_000

export interface SweeperOptions {
  client: Client
  storage: Storage
  log: Logger
  interval_ms: number
  retention: Retention
}

/** Sweeps at once and then at every interval until the signal aborts; one fault never ends it. */
export async function runSweeper(options: SweeperOptions, signal: AbortSignal): Promise<void> {
  let filesAt = 0
  while (!signal.aborted) {
    try {
      const before = new Date(Date.now() - MIN_AGE_MS).toISOString()
      await sweep(options, before, signal)
      await sweepApprovals(options, signal)
      await sweepJobs(options, before, signal)
      await sweepMcpServers(options, signal)
      await forgetOld(options.storage.db, options.retention, signal)
      if (Date.now() >= filesAt) {
        await sweepFiles(options, options.retention.orphan_file_days, signal)
        filesAt = Date.now() + FILES_MS
      }
    } catch (error) {
      if (!signal.aborted) options.log.warn({ err: error }, 'a sweep failed; the next one goes on')
    }
    await delay(options.interval_ms, undefined, { signal }).catch(() => undefined)
  }
}

/** One pass over all unfinished turns. */
async function sweep({ client, storage, log }: SweeperOptions, before: string, signal: AbortSignal): Promise<void> {
  let after = ''
  for (;;) {
    const turns = await listUnfinished(storage.db, before, PAGE, after)
    for (const turn of turns) {
      signal.throwIfAborted()
      const verdict = await judge(client, turn)
      if (verdict === 'alive') continue
      // What was found out holds for the state that the turn was in: its message may just have been sent again.
      const changed = await storage.db
        .transaction()
        .execute((tx) =>
          verdict === 'accept' ? acceptTurn(tx, turn.id) : finishTurn(tx, turn.id, 'failed', verdict, [turn.status]),
        )
      storage.events.publish(turn.id, changed ?? [])
      log.warn(
        { turn_id: turn.id, was: turn.status, verdict: verdict === 'accept' ? 'accepted late' : verdict.message },
        'swept a turn',
      )
    }
    const last = turns.at(-1)
    if (!last) return
    after = last.id
  }
}

type Unfinished = Awaited<ReturnType<typeof listUnfinished>>[number]

/** What to do with a turn: nothing, note that the engine has it after all, or give it up with these words. */
async function judge(client: Client, turn: Unfinished): Promise<'alive' | 'accept' | TurnFailure> {
  if (await isOpen(client, workflowId.chatTurn(turn.id))) return 'alive'
  if (await isHeld(client, turn)) return turn.status === 'pending' ? 'accept' : 'alive'
  // It may have ended, or begun, while we were asking: compare-and-set and a second look at its workflow keep us honest.
  if (await isOpen(client, workflowId.chatTurn(turn.id))) return 'alive'
  if (turn.status === 'pending')
    return { code: 'unavailable', message: 'The message was never accepted: please send it again' }
  return { code: 'internal_error', message: "The turn's workflow was lost; it is not run again by guess" }
}

async function isHeld(client: Client, turn: Unfinished): Promise<boolean> {
  const id = workflowId.conversation(turn.conversation_id)
  if (!(await isOpen(client, id))) return false
  return orWhenNotFound(() => client.workflow.getHandle(id).query(holds, turn.id))
}
