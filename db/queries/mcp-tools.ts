// The listed tools of MCP servers, and those that models are offered.
import type { McpServerRef } from '../../contracts/mcp.ts'
import { fits } from '../../contracts/glob.ts'
import { toolAnnotations, toolParameters, toolRefusals } from '../columns.ts'
import { parseColumn } from '../json-column.ts'
import type { Db, McpToolsTable, Tx } from '../schema.ts'
import { lockAgent, configOf, deleteTools, findServer, listServers } from './mcp-servers.ts'
import type { Hold } from './mcp-owners.ts'

/** JSON Schema of a tool's arguments. */
export function parametersOf(
  tool: Pick<McpToolsTable, 'agent_id' | 'server' | 'tool' | 'parameters'>,
): Record<string, unknown> {
  return parseColumn(toolParameters, tool.parameters, rowOf(tool))
}

/** What the server says of a tool. */
export function annotationsOf(
  tool: Pick<McpToolsTable, 'agent_id' | 'server' | 'tool' | 'annotations'>,
): Record<string, unknown> {
  return parseColumn(toolAnnotations, tool.annotations, rowOf(tool))
}

function rowOf({ agent_id, server, tool }: Pick<McpToolsTable, 'agent_id' | 'server' | 'tool'>): string {
  return `${agent_id}/${server}/${tool}`
}

/** Why models do not take a tool, by the key of the model. */
export function refusalsOf(
  tool: Pick<McpToolsTable, 'agent_id' | 'server' | 'tool' | 'refused'>,
): Record<string, string> {
  return parseColumn(toolRefusals, tool.refused, `${tool.agent_id}/${tool.server}/${tool.tool}`) ?? {}
}

/**
 * Remembers that a model does not take a tool in its present form, so that it is not offered to that model.
 * @param model its key
 * @param name of the tool, as offered
 */
export async function refuseTool(db: Db, agentId: string, name: string, model: string, why: string): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await lockAgent(tx, agentId)
    const tools = tx.selectFrom('mcp_tools').selectAll().where('agent_id', '=', agentId).where('name', '=', name)
    for (const tool of await tools.execute()) {
      await tx
        .updateTable('mcp_tools')
        .set({ refused: JSON.stringify({ ...refusalsOf(tool), [model]: why }) })
        .where('agent_id', '=', agentId)
        .where('server', '=', tool.server)
        .where('tool', '=', tool.tool)
        .execute()
    }
  })
}

export type ListedTool = Pick<McpToolsTable, 'tool' | 'name' | 'description' | 'parameters' | 'annotations' | 'hash'>

/**
 * Stores the listed tools of a server.
 * @param version of muxi
 * @param warnings what was left out or ignored
 * @returns the tools that differ from the approved ones; undefined when another worker owns the server
 */
export async function putTools(
  tx: Tx,
  hold: Pick<Hold, 'agent_id' | 'name' | 'epoch' | 'revision'>,
  tools: readonly ListedTool[],
  version: string,
  warnings: readonly string[] = [],
): Promise<string[] | undefined> {
  await lockAgent(tx, hold.agent_id)
  const server = await findServer(tx, hold)
  if (server?.epoch !== hold.epoch || server.revision !== hold.revision) return undefined
  const of = { agent_id: hold.agent_id, server: hold.name }
  await tx
    .updateTable('mcp_servers')
    .set({ listed_by: version, warnings: JSON.stringify(warnings) })
    .where('agent_id', '=', hold.agent_id)
    .where('name', '=', hold.name)
    .execute()
  const known = await listTools(tx, hold)
  await deleteTools(tx, hold)
  const removed = known.filter((before) => !tools.some(({ tool }) => tool === before.tool))
  // What comes with muxi changes with it, and with nothing else.
  const isOurs = 'builtin' in configOf(server)
  const rows = tools.map((tool, position) => {
    const before = isOurs ? undefined : known.find((each) => each.tool === tool.tool)
    // A tool that has changed is offered again.
    const refused = before?.hash === tool.hash ? before.refused : null
    return { ...of, ...tool, position, listed: 1, approved_hash: before?.approved_hash ?? tool.hash, refused }
  })
  // Removed tools are kept as rows: one may reappear with another definition.
  const all = [...rows, ...removed.slice(0, MAX_REMOVED).map((each) => ({ ...each, listed: 0 }))]
  for (let at = 0; at < all.length; at += ROWS_A_STATEMENT) {
    await tx
      .insertInto('mcp_tools')
      .values(all.slice(at, at + ROWS_A_STATEMENT))
      .execute()
  }
  return rows.filter(({ hash, approved_hash }) => hash !== approved_hash).map(({ tool }) => tool)
}

const ROWS_A_STATEMENT = 100
const MAX_REMOVED = 1_000

export function listTools(db: Db | Tx, { agent_id, name }: McpServerRef): Promise<McpToolsTable[]> {
  return db
    .selectFrom('mcp_tools')
    .selectAll()
    .where('agent_id', '=', agent_id)
    .where('server', '=', name)
    .orderBy('position')
    .execute()
}

/** Limit of MCP tools that the models of one agent are offered: providers accept 128, including built-in tools. */
export const MAX_OFFERED = 120

export interface AgentTool extends McpToolsTable {
  /** Why it is not offered to models. */
  left_out?: 'not chosen' | 'too many'
}

/** The tools of all of an agent's servers, by their last listings. */
export async function listToolsOfAgent(db: Db, agentId: string): Promise<AgentTool[]> {
  const tools = await db
    .selectFrom('mcp_tools')
    .selectAll()
    .where('agent_id', '=', agentId)
    .where('listed', '=', 1)
    .orderBy('server')
    .orderBy('position')
    .execute()
  const chosen = new Map<string, string[] | undefined>()
  for (const row of await listServers(db, agentId)) chosen.set(row.name, configOf(row).offered_tools)
  let offered = 0
  return tools.map((tool) => {
    const globs = chosen.get(tool.server)
    if (globs && !globs.some((glob) => fits(glob, tool.tool))) return { ...tool, left_out: 'not chosen' }
    offered += 1
    return offered > MAX_OFFERED ? { ...tool, left_out: 'too many' } : tool
  })
}

export function findTool(
  db: Db | Tx,
  { agent_id, name }: McpServerRef,
  tool: string,
): Promise<McpToolsTable | undefined> {
  return db
    .selectFrom('mcp_tools')
    .selectAll()
    .where('agent_id', '=', agent_id)
    .where('server', '=', name)
    .where('tool', '=', tool)
    .executeTakeFirst()
}
