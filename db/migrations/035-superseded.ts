// Turns that were replaced by a later one stay for the log, and are left out of prompts and pages.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema.alterTable('turns').addColumn('superseded_by', 'text').execute()
}
