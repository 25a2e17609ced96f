// Tables of MCP servers: configuration, owner of the connection, tools; and the results of their calls.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema
    .createTable('mcp_servers')
    .addColumn('agent_id', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('origin', 'text', (c) => c.notNull())
    .addColumn('config', 'text', (c) => c.notNull())
    .addColumn('revision', 'integer', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('worker', 'text')
    .addColumn('epoch', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('pid', 'integer')
    .addColumn('session_id', 'text')
    .addColumn('connected_at', 'text')
    .addColumn('last_activity_at', 'text')
    .addColumn('active_requests', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('reconnects', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('last_error', 'text')
    .addColumn('stderr_tail', 'text')
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('mcp_servers_pk', ['agent_id', 'name'])
    .execute()
  await db.schema.createIndex('mcp_servers_by_worker').on('mcp_servers').column('worker').execute()

  await db.schema
    .createTable('mcp_tools')
    .addColumn('agent_id', 'text', (c) => c.notNull())
    .addColumn('server', 'text', (c) => c.notNull())
    .addColumn('tool', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('position', 'integer', (c) => c.notNull())
    .addColumn('description', 'text', (c) => c.notNull())
    .addColumn('parameters', 'text', (c) => c.notNull())
    .addColumn('annotations', 'text', (c) => c.notNull())
    .addColumn('hash', 'text', (c) => c.notNull())
    .addColumn('approved_hash', 'text', (c) => c.notNull())
    .addColumn('listed', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('mcp_tools_pk', ['agent_id', 'server', 'tool'])
    .addUniqueConstraint('mcp_tools_one_a_name', ['agent_id', 'name'])
    .execute()

  await db.schema
    .createTable('mcp_workers')
    .addColumn('id', 'text', (c) => c.notNull().primaryKey())
    .addColumn('seen_at', 'text', (c) => c.notNull())
    .execute()

  await db.schema.alterTable('tool_calls').addColumn('tool', 'text').execute()
  await db.schema.alterTable('tool_calls').addColumn('images', 'text').execute()
}
