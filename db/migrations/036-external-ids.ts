// The names that clients give to chats and messages of theirs, by which they find them again.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema.alterTable('conversations').addColumn('external_id', 'text').execute()
  await db.schema.alterTable('messages').addColumn('external_id', 'text').execute()
  await db.schema
    .createIndex('conversations_by_external_id')
    .on('conversations')
    .columns(['user_id', 'agent_id', 'external_id'])
    .unique()
    .execute()
}
