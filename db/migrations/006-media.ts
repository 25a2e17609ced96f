// Pictures and recordings: what is known of them, the files that were made of them, and the moments of a recording's pieces.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema.alterTable('jobs').addColumn('media', 'text').execute()
  await db.schema.alterTable('files').addColumn('made_of', 'text').execute()
  await db.schema.createIndex('files_by_origin').on('files').column('made_of').execute()
  await db.schema.alterTable('job_batches').addColumn('from_ms', 'integer').execute()
  await db.schema.alterTable('job_batches').addColumn('to_ms', 'integer').execute()
}
