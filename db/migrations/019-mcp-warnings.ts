// What was left out of the last list of tools of an MCP server.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema.alterTable('mcp_servers').addColumn('warnings', 'text').execute()
}
