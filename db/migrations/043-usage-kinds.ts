// Usage rows of embeddings, transcriptions and speech beside those of chats.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema
    .alterTable('model_usage')
    .addColumn('kind', 'text', (c) => c.notNull().defaultTo('chat'))
    .execute()
  await db.schema.alterTable('model_usage').addColumn('units', 'double precision').execute()
}
