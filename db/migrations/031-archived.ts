// Conversations can be archived: they stay, and are left out of lists.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema
    .alterTable('conversations')
    .addColumn('archived', 'integer', (c) => c.notNull().defaultTo(0))
    .execute()
}
