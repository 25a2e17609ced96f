// The orchestrator: how sure it was of a turn's agent, and its decisions, which are used again for the same message.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema.alterTable('turns').addColumn('routing_confidence', 'double precision').execute()
  await db.schema
    .createTable('routing_decisions')
    .addColumn('message_hash', 'text', (c) => c.notNull().primaryKey())
    .addColumn('agents', 'text', (c) => c.notNull())
    .addColumn('agent_id', 'text', (c) => c.notNull())
    .addColumn('confidence', 'double precision', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .execute()
}
