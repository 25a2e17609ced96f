// The upgrade of the turn engine from 0.1.0, whose turns ran below a conversation workflow. Runs before workers poll, once a database.
import type { Client } from '@temporalio/client'
import type { Logger } from 'pino'
import { TASK_QUEUE } from '../contracts/temporal.ts'
import { NEVER_ACCEPTED, type TurnFailure } from '../contracts/failures.ts'
import { differencesOf } from '../db/dialect.ts'
import { finishTurn } from '../db/queries/turn-ends.ts'
import { listBlocked, unblock, type StartableTurn } from '../db/queries/turn-queue.ts'
import type { Storage } from '../db/storage.ts'

/** Pollers seen within this time count as running, in milliseconds. */
const POLLER_MS = 60_000
const PAGE = 100
const WORKFLOWS = `WorkflowType in ('conversation', 'chatTurn', 'toolCall') and ExecutionStatus = 'Running'`
const INTERRUPTED: TurnFailure = { code: 'internal_error', message: 'The turn was interrupted by the upgrade to 0.2.0' }

export interface UpgradeOptions {
  client: Client
  namespace: string
  storage: Storage
  startTurn: (turn: StartableTurn) => Promise<void>
  log: Logger
}

/**
 * Ends the running workflows of 0.1.0: its workflows are terminated, claimed turns fail, waiting turns are started.
 * Idempotent, also when run by several processes at once.
 * @throws Error while workers of 0.1.0 still poll
 */
export async function upgradeTurns(options: UpgradeOptions): Promise<void> {
  const { client, storage, startTurn, log } = options
  const { db } = storage
  const state = await db.selectFrom('engine_state').select('value').where('name', '=', 'turn_engine').executeTakeFirst()
  if (state?.value !== '0.1.0') return
  await refuseOldWorkers(options)
  let terminated = 0
  for await (const { workflowId, runId } of client.workflow.list({ query: WORKFLOWS })) {
    await client.workflow
      .getHandle(workflowId, runId)
      .terminate('upgrade to 0.2.0')
      .catch(() => undefined)
    terminated += 1
  }
  for (const { id, conversation_id, status } of await listBegun(storage)) {
    const error = status === 'pending' ? NEVER_ACCEPTED : INTERRUPTED
    const ending = { turn_id: id, conversation_id, status: 'failed' as const, error }
    const end = await db.transaction().execute((tx) => finishTurn(tx, ending, [status]))
    storage.events.publish(id, end?.events ?? [])
  }
  let started = 0
  for (let blocked = await listBlocked(db, PAGE); blocked.length > 0; blocked = await listBlocked(db, PAGE)) {
    for (const conversationId of blocked) {
      const next = await db.transaction().execute((tx) => unblock(tx, conversationId))
      if (!next) continue
      await startTurn(next)
      started += 1
    }
  }
  await db.transaction().execute(async (tx) => {
    await differencesOf(tx).lockNames(tx, ['engine_state'])
    await tx.updateTable('engine_state').set({ value: '0.2.0' }).where('name', '=', 'turn_engine').execute()
  })
  log.warn({ terminated, started }, 'upgraded the turn engine from 0.1.0')
}

/** Claimed turns, and turns that were never accepted. */
function listBegun({ db }: Storage) {
  return db
    .selectFrom('turns')
    .select(['id', 'conversation_id', 'status'])
    .where('status', 'in', ['pending', 'running', 'awaiting_approval'])
    .where('activated_at', 'is', null)
    .execute()
}

async function refuseOldWorkers({ client, namespace }: UpgradeOptions): Promise<void> {
  const { pollers } = await client.connection.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: TASK_QUEUE },
    taskQueueType: 1,
  })
  const since = Date.now() - POLLER_MS
  const running = (pollers ?? []).filter(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1_000 > since)
  if (running.length > 0)
    throw new Error(
      `Cannot upgrade to 0.2.0: stop every worker of 0.1.0 first, and wait a minute: ${running.map(({ identity }) => identity).join(', ')} still polls`,
    )
}
