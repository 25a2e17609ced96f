// An Idempotency-Key refers to the result of its request: a turn, a file or a job. Expired rows are found by their age.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema.alterTable('idempotency_keys').renameColumn('turn_id', 'result_id').execute()
  await db.schema.createIndex('log_entries_by_age').on('log_entries').column('started_at').execute()
}
