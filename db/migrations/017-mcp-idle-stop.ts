// MCP servers that are started on demand: when a start was requested over the API, and which version of muxi listed the tools last.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema.alterTable('mcp_servers').addColumn('wanted_at', 'text').execute()
  await db.schema.alterTable('mcp_servers').addColumn('listed_by', 'text').execute()
}
