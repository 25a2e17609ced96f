// Memory: what was said (long-term memory) with its outbox, and what is known about users (context memory).
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema
    .alterTable('turns')
    .addColumn('remembers', 'integer', (c) => c.notNull().defaultTo(0))
    .execute()
  await db.schema.alterTable('recalls').addColumn('memories', 'text').execute()
  await db.schema.alterTable('recalls').addColumn('about_user', 'text').execute()
  await db.schema
    .createTable('memories')
    .addColumn('id', 'text', (c) => c.notNull().primaryKey())
    .addColumn('agent_id', 'text', (c) => c.notNull())
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('conversation_id', 'text', (c) => c.notNull())
    .addColumn('message_id', 'text', (c) => c.notNull().unique())
    .addColumn('role', 'text', (c) => c.notNull())
    .addColumn('said_at', 'text', (c) => c.notNull())
    .execute()
  await db.schema
    .createIndex('memories_by_owner')
    .on('memories')
    .columns(['user_id', 'agent_id', 'message_id'])
    .execute()
  await db.schema.createIndex('memories_by_conversation').on('memories').column('conversation_id').execute()
  await db.schema
    .createTable('memory_outbox')
    .addColumn('turn_id', 'text', (c) => c.notNull().primaryKey())
    .addColumn('conversation_id', 'text', (c) => c.notNull())
    .addColumn('agent_id', 'text', (c) => c.notNull())
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('user_message_id', 'text', (c) => c.notNull())
    .addColumn('message_id', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addColumn('claimed_at', 'text')
    .addColumn('forgotten', 'integer', (c) => c.notNull().defaultTo(0))
    .execute()
  await db.schema
    .createIndex('memory_outbox_by_conversation')
    .on('memory_outbox')
    .columns(['conversation_id', 'turn_id'])
    .execute()
  await db.schema.createIndex('memory_outbox_by_user').on('memory_outbox').columns(['user_id', 'agent_id']).execute()
  await db.schema
    .createTable('context_memories')
    .addColumn('user_id', 'text', (c) => c.notNull().primaryKey())
    .addColumn('knowledge', 'text', (c) => c.notNull())
    .addColumn('sources', 'text', (c) => c.notNull())
    .addColumn('updated_at', 'text', (c) => c.notNull())
    .execute()
}
