// Periodic repair of rows: every turn reaches a final state after any loss, and rows past their retention are deleted.
import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from '@temporalio/client'
import type { Logger } from 'pino'
import { workflowId } from '../contracts/temporal.ts'
import { NEVER_ACCEPTED, type TurnFailure } from '../contracts/failures.ts'
import { indexMessages } from '../db/queries/index-messages.ts'
import { noteOldMessages } from '../db/queries/message-backlog.ts'
import { forgetOld, type Retention } from '../db/queries/retention.ts'
import { forgetReplacedSecrets } from '../db/queries/replaced-secrets.ts'
import { finishTurn } from '../db/queries/turn-ends.ts'
import { listActive, listBlocked, unblock, type ActiveTurn, type StartableTurn } from '../db/queries/turn-queue.ts'
import { markAccepted } from '../db/queries/turn-starts.ts'
import type { Storage } from '../db/storage.ts'
import { orWhenNotFound, stateOf } from './engine.ts'
import { sweepApprovals } from './sweep-approvals.ts'
import { sweepConversations } from './sweep-conversations.ts'
import { sweepFiles } from './sweep-files.ts'
import { sweepJobs } from './sweep-jobs.ts'
import { sweepMcpServers } from './sweep-mcp-servers.ts'
import { sweepMemory } from './sweep-memory.ts'
import type { HiddenVectors } from '../vectors/hidden-vectors.ts'
import type { VectorStore } from '../vectors/store.ts'
import type { StartMemory } from './memory-starter.ts'

const PAGE = 100
/** Time for adding messages to the index in one sweep. */
const INDEXING_MS = 5_000
/** Files, conversations and secrets are swept less often: each pass reads all old files without references. */
const FILES_MS = 3_600_000
const DAY_MS = 86_400_000

export interface SweeperOptions {
  client: Client
  storage: Storage
  hidden: HiddenVectors
  vectors: Pick<VectorStore, 'discard'>
  log: Logger
  /** Starts the workflow of an active turn; one that has been started counts as success. */
  startTurn: (turn: StartableTurn) => Promise<void>
  /** Starts the writing of memory of a conversation, or signals the running one. */
  startMemory: StartMemory
  interval_ms: number
  /** A turn that was activated less than this ago is skipped: its acceptance may be in progress. */
  min_age_ms: number
  retention: Retention
}

/** Sweeps at once and then at every interval until the signal aborts; a failure never stops it. */
export async function runSweeper(options: SweeperOptions, signal: AbortSignal): Promise<void> {
  let filesAt = 0
  while (!signal.aborted) {
    try {
      const before = new Date(Date.now() - options.min_age_ms).toISOString()
      await sweepTurns(options, before, signal)
      await sweepApprovals(options, signal)
      await sweepJobs(options, before, signal)
      await sweepMcpServers(options, signal)
      await sweepMemory(options, before, signal)
      await options.hidden.removeOld(signal)
      await forgetOld(options.storage.db, options.retention, signal)
      if (Date.now() >= filesAt) {
        await sweepConversations(options, options.retention.log_days, signal)
        await sweepFiles(options, options.retention.orphan_file_days, signal)
        await forgetReplacedSecrets(options.storage.db, new Date(Date.now() - DAY_MS).toISOString())
        filesAt = Date.now() + FILES_MS
      }
    } catch (error) {
      if (!signal.aborted) options.log.warn({ err: error }, 'a sweep failed; the next one goes on')
    }
    // Apart from the rest, which must go on when a message cannot be indexed.
    await sweepIndex(options, signal).catch((error: unknown) =>
      options.log.warn({ err: error }, 'messages could not be indexed; the next sweep tries again'),
    )
    await delay(options.interval_ms, undefined, { signal }).catch(() => undefined)
  }
}

/** Adds messages to the full-text index, those from before it too. */
async function sweepIndex({ storage: { db } }: SweeperOptions, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await noteOldMessages(db, { ms: INDEXING_MS, signal })
  await indexMessages(db, { ms: INDEXING_MS, signal })
}

/** One pass over the active turns, and over conversations without one. */
async function sweepTurns(options: SweeperOptions, before: string, signal: AbortSignal): Promise<void> {
  const { storage } = options
  for (let after = ''; ;) {
    const turns = await listActive(storage.db, PAGE, after)
    for (const turn of turns) {
      signal.throwIfAborted()
      // A failure of one must not block the others.
      await sweepTurn(options, turn, before).catch((error: unknown) =>
        options.log.warn({ err: error, turn_id: turn.id }, 'a turn could not be swept; the next sweep tries again'),
      )
    }
    const last = turns.at(-1)
    if (!last) break
    after = last.id
  }
  for (const conversationId of await listBlocked(storage.db, PAGE)) {
    signal.throwIfAborted()
    const next = await storage.db.transaction().execute((tx) => unblock(tx, conversationId))
    if (!next) continue
    await options.startTurn(next)
    options.log.warn({ turn_id: next.id }, 'swept a conversation: its next turn was started')
  }
}

/** Advances one turn that its own process has abandoned. */
async function sweepTurn(options: SweeperOptions, turn: ActiveTurn, before: string): Promise<void> {
  const { client, storage, log, startTurn } = options
  // Its acceptance, or the end of the previous turn, may still be in progress.
  const isYoung = (turn.activated_at ?? '') > before
  const isUnclaimed = turn.status === 'queued'
  if (isYoung && !isUnclaimed) return
  const parent = turn.parent_turn_id
  const swept = (what: string) => log.warn({ turn_id: turn.id, was: turn.status }, `swept a turn: ${what}`)
  switch (await stateOf(client, workflowId.chatTurn(turn.id))) {
    case 'open':
      if (turn.cancel_requested_at !== null && !isYoung) {
        await orWhenNotFound(async () => !!(await client.workflow.getHandle(workflowId.chatTurn(turn.id)).cancel()))
        return swept('cancelled again')
      }
      if (turn.status !== 'pending') return
      storage.events.publish(turn.id, (await storage.db.transaction().execute((tx) => markAccepted(tx, turn.id))) ?? [])
      return swept('accepted late')
    case 'none':
      // The workflow of the turn that asks for it starts it, or has not recorded yet that it will not.
      if (parent !== null && (await stateOf(client, workflowId.chatTurn(parent))) === 'open') return
      if (isUnclaimed && parent === null) {
        await startTurn(turn)
        return swept('started again')
      }
      return giveUp(turn.status === 'pending' ? NEVER_ACCEPTED : LOST)
    case 'closed':
      return isYoung ? undefined : giveUp(LOST)
  }

  async function giveUp(error: TurnFailure): Promise<void> {
    const ending = { turn_id: turn.id, conversation_id: turn.conversation_id, status: 'failed' as const, error }
    // The finding is valid only for the status that was read: a repeated request may just have started the turn.
    const end = await storage.db.transaction().execute((tx) => finishTurn(tx, ending, [turn.status]))
    if (!end) return
    for (const shown of [{ turn_id: turn.id, events: end.events }, ...end.above])
      storage.events.publish(shown.turn_id, shown.events)
    swept(error.message)
    if (end.next) await startTurn(end.next)
  }
}

const LOST: TurnFailure = {
  code: 'internal_error',
  message: "The turn's workflow was lost; it is not run again by guess",
}
