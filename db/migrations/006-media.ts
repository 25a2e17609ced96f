// Pictures and recordings: metadata, derived files, and the times of a recording's segments.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema.alterTable('jobs').addColumn('media', 'text').execute()
  await db.schema.alterTable('files').addColumn('made_of', 'text').execute()
  await db.schema.createIndex('files_by_origin').on('files').column('made_of').execute()
  await db.schema.alterTable('job_batches').addColumn('from_ms', 'integer').execute()
  await db.schema.alterTable('job_batches').addColumn('to_ms', 'integer').execute()
}
