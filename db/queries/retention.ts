// Deletes data past its retention: live event logs and what the messages of their turns brought, execution log entries, vectors, Idempotency-Keys, counters. Messages stay until
// deleted.
import type { Db } from '../schema.ts'
import { deleteOldChanges } from './changes.ts'
import { forgetEmbeddings } from './embeddings.ts'
import { deleteFullBuckets } from './rate-limits.ts'

/** Streams per transaction, which must stay short. */
const BATCH = 50
/** The same for rows that stand alone. */
const ROWS = 500
const DAY_MS = 86_400_000
/** Counters of what keys and users have spent are kept for so many days. */
const SPENDING_DAYS = 400
/** Counts of requests are shown for 30 days. */
const REQUEST_COUNT_DAYS = 31
/** Decisions of the orchestrator are made again after so many days. */
const ROUTING_DAYS = 7

export interface Retention {
  event_log_days: number
  log_days: number
  audit_days: number
  /** Of unused cached vectors. */
  embedding_days: number
  /** Of files without references. */
  orphan_file_days: number
}

/** Deletes data past its retention. @returns the number of event logs and log entries */
export async function forgetOld(
  db: Db,
  retention: Pick<Retention, 'event_log_days' | 'log_days' | 'audit_days' | 'embedding_days'>,
  signal: AbortSignal,
): Promise<{ streams: number; entries: number }> {
  const before = (days: number) => new Date(Date.now() - days * DAY_MS).toISOString()
  let streams = 0
  for (let forgotten = BATCH; forgotten === BATCH && !signal.aborted; streams += forgotten) {
    forgotten = await forgetStreams(db, before(retention.event_log_days))
  }
  let entries = 0
  for (let forgotten = ROWS; forgotten === ROWS && !signal.aborted; entries += forgotten) {
    const old = db.selectFrom('log_entries').select('id').where('started_at', '<', before(retention.log_days))
    const deleted = await db.deleteFrom('log_entries').where('id', 'in', old.limit(ROWS)).executeTakeFirst()
    forgotten = Number(deleted.numDeletedRows)
  }
  await forgetEmbeddings(db, before(retention.embedding_days), signal)
  await db.deleteFrom('idempotency_keys').where('created_at', '<', before(1)).execute()
  await db.deleteFrom('usage_days').where('day', '<', before(SPENDING_DAYS)).execute()
  await db.deleteFrom('routing_decisions').where('created_at', '<', before(ROUTING_DAYS)).execute()
  await db.deleteFrom('audit_entries').where('at', '<', before(retention.audit_days)).execute()
  await db.deleteFrom('request_counts').where('hour', '<', before(REQUEST_COUNT_DAYS)).execute()
  await deleteFullBuckets(db)
  await deleteOldChanges(db)
  return { streams, entries }
}

async function forgetStreams(db: Db, before: string): Promise<number> {
  return db.transaction().execute(async (tx) => {
    const old = await tx
      .selectFrom('event_streams')
      .select('stream_id')
      .where('updated_at', '<', before)
      .where('ended', '=', 1)
      .orderBy('updated_at')
      .limit(BATCH)
      .forUpdate()
      .skipLocked()
      .execute()
    const ids = old.map(({ stream_id }) => stream_id)
    if (ids.length === 0) return 0
    for (const table of ['event_segments', 'event_keys', 'event_fences', 'event_streams'] as const) {
      await tx.deleteFrom(table).where('stream_id', 'in', ids).execute()
    }
    // Of turns: no step of an ended one reads what its message brought.
    await tx.deleteFrom('turn_requests').where('turn_id', 'in', ids).execute()
    return ids.length
  })
}
