// Usage and log entries belong to a turn or to a job: their column is called what it holds, as in the event log.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  for (const table of ['model_usage', 'log_entries'])
    await db.schema.alterTable(table).renameColumn('turn_id', 'stream_id').execute()
  // Indexes are renamed with the column.
  await db.schema.dropIndex('model_usage_by_turn').execute()
  await db.schema.createIndex('model_usage_by_stream').on('model_usage').column('stream_id').execute()
  await db.schema.dropIndex('log_entries_by_turn').execute()
  await db.schema.createIndex('log_entries_by_stream').on('log_entries').columns(['stream_id', 'id']).execute()
}
