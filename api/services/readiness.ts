// Readiness: database, disk space, Temporal, and a polling worker.
import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import { TASK_QUEUE } from '../../contracts/temporal.ts'
import type { Db } from '../../db/schema.ts'
import type { ApiContext } from './context.ts'

const CHECK_MS = 2_000
/** A worker that has not polled for this long is not counted, in milliseconds. */
const POLLER_FRESH_MS = 120_000

export type Readiness = { database: string; disk: string; temporal: string; worker: string }

export async function checkReadiness(context: ApiContext): Promise<Readiness> {
  return (await checkParts(context)).checks
}

/** The same, with the number of workers; undefined when it is not known. */
export async function checkParts(context: ApiContext): Promise<{ checks: Readiness; workers: number | undefined }> {
  const [database, disk, pollers] = await Promise.all([
    Promise.race([answers(context.storage.db), delay(CHECK_MS, 'unreachable', { ref: false })]),
    Promise.race([context.storage.disk.check(), delay(CHECK_MS, 'unreachable', { ref: false })]),
    countPollers(context).catch(() => undefined),
  ])
  const checks = {
    database,
    disk,
    temporal: pollers === undefined ? 'unreachable' : 'ok',
    worker: pollers === undefined ? 'unknown' : pollers > 0 ? 'ok' : 'missing',
  }
  return { checks, workers: pollers }
}

function answers(db: Db): Promise<string> {
  return sql`select 1`.execute(db).then(
    () => 'ok',
    () => 'unreachable',
  )
}

async function countPollers({ client, namespace }: ApiContext): Promise<number> {
  const { pollers } = await client.withDeadline(Date.now() + CHECK_MS, () =>
    client.connection.workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name: TASK_QUEUE },
      taskQueueType: 1,
    }),
  )
  const oldest = Date.now() - POLLER_FRESH_MS
  return (pollers ?? []).filter(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1_000 > oldest).length
}
