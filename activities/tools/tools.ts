// The tools that are built in, and those that an agent's MCP servers add.
import type { AgentCall } from '../../contracts/turn.ts'
import { listToolsOfAgent, parametersOf, refusalsOf } from '../../db/queries/mcp-tools.ts'
import type { Db } from '../../db/schema.ts'
import type { ToolDefinition } from '../../providers/provider.ts'
import { currentTime } from './current-time.ts'
import type { Tool } from './tool.ts'

export const BUILT_IN_TOOLS: readonly Tool[] = [currentTime]

/** A tool as offered to a model, with its source. */
export interface OfferedTool extends ToolDefinition {
  server: string
  /** Its name on the MCP server; omitted for a built-in tool. */
  tool?: string
  /** The agent that it reaches. */
  to_agent?: { id: string; kind: AgentCall }
  /** The caller's own: its calls are returned. */
  is_callers?: boolean
}

/** Tools that providers accept in one request. */
export const MAX_TOOLS = 128

/**
 * Built-in tools and other agents first, then those of the agent's MCP servers as last listed, up to the providers' limit.
 * @param model key of the model: tools that it has refused are left out
 */
export async function offerTools(
  db: Db,
  agentId: string,
  own: readonly OfferedTool[],
  model: string,
): Promise<OfferedTool[]> {
  const listed = await listToolsOfAgent(db, agentId)
  const foreign = listed
    .filter((tool) => tool.left_out === undefined && refusalsOf(tool)[model] === undefined)
    .filter((tool) => !own.some(({ name }) => name === tool.name))
    .map((listing) => {
      const { name, server, tool, description } = listing
      return { name, server, tool, description, parameters: parametersOf(listing) }
    })
  return [...own, ...foreign].slice(0, MAX_TOOLS)
}

/** The properties of a tool that a call needs. */
export type CallableTool = Pick<Tool, 'name' | 'parameters' | 'idempotent'>
