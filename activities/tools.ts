// The tools that are built in, and those that an agent's MCP servers add.
import { listToolsOfAgent, parametersOf } from '../db/queries/mcp.ts'
import type { Db } from '../db/schema.ts'
import type { ToolDefinition } from '../providers/provider.ts'
import { currentTime } from './current-time.ts'
import type { Tool } from './tool.ts'

export const BUILT_IN_TOOLS: readonly Tool[] = [currentTime]

/** A tool as a model is offered it, and who has it. */
export interface OfferedTool extends ToolDefinition {
  server: string
  /** What its MCP server calls it; left out for a tool of our own. */
  tool?: string
}

/** Our own tools first, then those of the agent's MCP servers as they were listed last, as many as providers take. */
export async function offerTools(db: Db, agentId: string, own: readonly Tool[]): Promise<OfferedTool[]> {
  const listed = await listToolsOfAgent(db, agentId)
  const foreign = listed
    .filter(({ left_out }) => left_out === undefined)
    .map((listing) => {
      const { name, server, tool, description } = listing
      return { name, server, tool, description, parameters: parametersOf(listing) }
    })
  return [...own, ...foreign]
}

/** What must be known of a tool to call it. */
export type CallableTool = Pick<Tool, 'name' | 'parameters' | 'idempotent'>
