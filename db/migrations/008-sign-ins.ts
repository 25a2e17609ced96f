// Sign-ins to MCP servers: client registrations at authorization servers, tokens of users, and pending sign-ins.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema
    .createTable('mcp_clients')
    .addColumn('agent_id', 'text', (c) => c.notNull())
    .addColumn('server', 'text', (c) => c.notNull())
    .addColumn('sealed', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('mcp_clients_pk', ['agent_id', 'server'])
    .execute()

  await db.schema
    .createTable('mcp_grants')
    .addColumn('agent_id', 'text', (c) => c.notNull())
    .addColumn('server', 'text', (c) => c.notNull())
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('sealed', 'text', (c) => c.notNull())
    .addColumn('version', 'integer', (c) => c.notNull())
    .addColumn('renewer', 'text')
    .addColumn('renewer_until', 'text')
    .addColumn('updated_at', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('mcp_grants_pk', ['agent_id', 'server', 'user_id'])
    .execute()

  await db.schema
    .createTable('mcp_sign_ins')
    .addColumn('id', 'text', (c) => c.notNull().primaryKey())
    .addColumn('agent_id', 'text', (c) => c.notNull())
    .addColumn('server', 'text', (c) => c.notNull())
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('turn_id', 'text', (c) => c.notNull())
    .addColumn('call_id', 'text', (c) => c.notNull())
    .addColumn('asked', 'integer', (c) => c.notNull())
    .addColumn('sealed', 'text', (c) => c.notNull())
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('state_hash', 'text')
    .addColumn('attempt', 'text')
    .addColumn('attempt_until', 'text')
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addUniqueConstraint('mcp_sign_ins_one_a_call', ['agent_id', 'server', 'user_id', 'turn_id', 'call_id'])
    .addUniqueConstraint('mcp_sign_ins_by_state', ['state_hash'])
    .execute()
  await db.schema.createIndex('mcp_sign_ins_by_age').on('mcp_sign_ins').column('created_at').execute()
}
