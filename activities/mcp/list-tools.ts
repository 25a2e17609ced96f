// Lists the tools of an MCP server and stores them as rows; tools that changed since their approval, or are left out, are
// logged.
import type { Logger } from 'pino'
import type { Hold } from '../../db/queries/mcp-owners.ts'
import { listToolsOfAgent, MAX_OFFERED, putTools } from '../../db/queries/mcp-tools.ts'
import type { Db } from '../../db/schema.ts'
import type { McpConnection } from '../../mcp/connection.ts'
import { offeredTools } from '../../mcp/tools.ts'

/** @throws McpFailure, or the signal's reason */
export async function listServerTools(
  db: Db,
  hold: Hold,
  connection: McpConnection,
  { version, log }: { version: string; log: Logger },
  signal: AbortSignal,
): Promise<void> {
  const of = { agent_id: hold.agent_id, mcp_server: hold.name }
  const listing = await connection.listTools(signal)
  const { tools, warnings: leftOut } = offeredTools(hold.name, listing.tools)
  const warnings = fewWarnings([...listing.warnings, ...leftOut])
  const drifted = await db.transaction().execute((tx) => putTools(tx, hold, tools, version, warnings))
  if (drifted && drifted.length > 0)
    log.warn({ ...of, tools: drifted }, 'tools of an MCP server are no longer what they were when it was configured')
  if (warnings.length > 0)
    log.warn({ ...of, warnings }, 'tools of an MCP server are left out, or parts of them are ignored')
  const known = await listToolsOfAgent(db, hold.agent_id)
  const left_out = known
    .filter((tool) => tool.server === hold.name && tool.left_out === 'too many')
    .map(({ tool }) => tool)
  if (left_out.length > 0)
    log.warn(
      { ...of, left_out, most: MAX_OFFERED },
      "tools of an MCP server are not offered to models: choose those that are with 'offered_tools'",
    )
}

/** They are stored, logged and shown: a server must not fill them. */
const MAX_WARNINGS = 50

function fewWarnings(warnings: readonly string[]): string[] {
  if (warnings.length <= MAX_WARNINGS) return [...warnings]
  return [...warnings.slice(0, MAX_WARNINGS), `There are ${warnings.length - MAX_WARNINGS} more warnings.`]
}
