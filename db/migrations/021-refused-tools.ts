// Why models do not take a tool of an MCP server, by the model.
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema.alterTable('mcp_tools').addColumn('refused', 'text').execute()
}
