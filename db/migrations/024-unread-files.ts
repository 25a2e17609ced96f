// The files of a source of knowledge that could not be read.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema.alterTable('knowledge_sources').addColumn('unread', 'text').execute()
}
