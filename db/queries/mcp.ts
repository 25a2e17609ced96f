// MCP servers of agents: configuration, owner of each connection, and listed tools.
import { randomInt } from 'node:crypto'
import type { Selectable } from 'kysely'
import type { McpServerRef } from '../../contracts/mcp.ts'
import { fits } from '../../contracts/glob.ts'
import { canonicalJson } from '../../contracts/json.ts'
import type { McpServer } from '../../contracts/schemas/agent.ts'
import { serverConfig, toolParameters } from '../columns.ts'
import { parseColumn } from '../json-column.ts'
import { differencesOf } from '../dialect.ts'
import type { SecretBox } from '../secret-box.ts'
import type { Db, McpServersTable, McpToolsTable, Tx } from '../schema.ts'
import { deleteSecrets, getSecrets, putSecrets } from './secrets.ts'
import { forgetSignIns } from './sign-ins.ts'

export type ServerRow = Selectable<McpServersTable>

const secretOwner = ({ agent_id, name }: McpServerRef) => `mcp/${agent_id}/${name}`

/** The lock for changes to an agent's servers and their tools. */
function lockAgent(tx: Tx, agentId: string): Promise<void> {
  return differencesOf(tx).lockNames(tx, [`mcp/${agentId}`])
}

/** What a server is configured as, without credentials. */
export function configOf({ agent_id, name, config }: Pick<ServerRow, 'agent_id' | 'name' | 'config'>): McpServer {
  return parseColumn(serverConfig, config, `${agent_id}/${name}`)
}

/** JSON Schema of a tool's arguments. */
export function parametersOf(
  tool: Pick<McpToolsTable, 'agent_id' | 'server' | 'tool' | 'parameters'>,
): Record<string, unknown> {
  return parseColumn(toolParameters, tool.parameters, `${tool.agent_id}/${tool.server}/${tool.tool}`)
}

export interface NewServer {
  agent_id: string
  origin: 'config' | 'api'
  /** Without credentials. */
  server: McpServer
  /** Credentials by their path in it. */
  secrets: Record<string, string>
}

/** Adds a server, or updates it if it differs. @returns whether anything changed */
export async function putServer(
  tx: Tx,
  box: SecretBox,
  { agent_id, origin, server, secrets }: NewServer,
): Promise<boolean> {
  const ref = { agent_id, name: server.name }
  await lockAgent(tx, agent_id)
  const known = await findServer(tx, ref)
  if (known?.origin === origin) {
    const before = [configOf(known), await getSecrets(tx, box, secretOwner(ref))]
    if (canonicalJson(before) === canonicalJson([server, secrets])) return false
  }
  const row = {
    origin,
    config: JSON.stringify(server),
    revision: (known?.revision ?? 0) + 1,
    state: 'waiting' as const,
    last_error: null,
    stderr_tail: null,
    reconnects: 0,
    // The API request that adds a server waits for it.
    wanted_at: origin === 'api' ? new Date().toISOString() : null,
    listed_by: null,
    warnings: null,
  }
  await tx
    .insertInto('mcp_servers')
    // Not from 0: a server that is removed and added again must not be confused with the old one.
    .values({ ...ref, ...row, epoch: randomInt(2 ** 30), created_at: new Date().toISOString() })
    .onConflict((oc) => oc.columns(['agent_id', 'name']).doUpdateSet(row))
    .execute()
  await deleteSecrets(tx, secretOwner(ref))
  await putSecrets(tx, box, secretOwner(ref), secrets)
  if (known && whereTo(configOf(known)) !== whereTo(server)) await forgetSignIns(tx, ref)
  // Changing a server approves the tools that it has at that time.
  await deleteTools(tx, ref)
  return true
}

/** The address of a server and the OAuth client: tokens are valid for these only. */
function whereTo(server: McpServer): string {
  return 'url' in server ? canonicalJson([server.url, server.oauth ?? null]) : ''
}

/** Makes the owner of a server reconnect. */
export async function reconnectServer(tx: Tx, { agent_id, name }: McpServerRef): Promise<void> {
  await tx
    .updateTable('mcp_servers')
    .set((eb) => ({ revision: eb('revision', '+', 1) }))
    .where('agent_id', '=', agent_id)
    .where('name', '=', name)
    .execute()
}

/** Makes the owner of an idle server start it. */
export async function requestStart(db: Db, { agent_id, name }: McpServerRef): Promise<void> {
  await db
    .updateTable('mcp_servers')
    .set({ wanted_at: new Date().toISOString() })
    .where('agent_id', '=', agent_id)
    .where('name', '=', name)
    .where('state', '=', 'idle')
    .execute()
}

/** @returns whether there was one */
export async function deleteServer(tx: Tx, ref: McpServerRef): Promise<boolean> {
  await lockAgent(tx, ref.agent_id)
  const deleted = await tx
    .deleteFrom('mcp_servers')
    .where('agent_id', '=', ref.agent_id)
    .where('name', '=', ref.name)
    .executeTakeFirst()
  await deleteSecrets(tx, secretOwner(ref))
  await deleteTools(tx, ref)
  await forgetSignIns(tx, ref)
  return deleted.numDeletedRows > 0n
}

async function deleteTools(tx: Tx, { agent_id, name }: McpServerRef): Promise<void> {
  await tx.deleteFrom('mcp_tools').where('agent_id', '=', agent_id).where('server', '=', name).execute()
}

export function findServer(db: Db | Tx, { agent_id, name }: McpServerRef): Promise<ServerRow | undefined> {
  return db
    .selectFrom('mcp_servers')
    .selectAll()
    .where('agent_id', '=', agent_id)
    .where('name', '=', name)
    .executeTakeFirst()
}

export function listServers(db: Db | Tx, agentId: string): Promise<ServerRow[]> {
  return db.selectFrom('mcp_servers').selectAll().where('agent_id', '=', agentId).orderBy('name').execute()
}

/** Every server that the descriptions of agents of a source name. */
export function listConfiguredServers(db: Db, source: 'file' | 'api'): Promise<McpServerRef[]> {
  return db
    .selectFrom('mcp_servers')
    .innerJoin('agents', 'agents.id', 'mcp_servers.agent_id')
    .select(['agent_id', 'name'])
    .where('origin', '=', 'config')
    .where('source', '=', source)
    .execute()
}

/** Servers of deleted agents. */
export function listOrphanedServers(db: Db): Promise<McpServerRef[]> {
  return db
    .selectFrom('mcp_servers')
    .innerJoin('agents', 'agents.id', 'mcp_servers.agent_id')
    .select(['agent_id', 'name'])
    .where('agents.deleted_at', 'is not', null)
    .execute()
}

/** Servers without an owner. */
export function listUnheldServers(db: Db): Promise<McpServerRef[]> {
  return db.selectFrom('mcp_servers').select(['agent_id', 'name']).where('worker', 'is', null).execute()
}

export interface Hold extends McpServerRef {
  epoch: number
  revision: number
  /** Whether it is configured in an agent file. */
  from_file: boolean
  server: McpServer
  secrets: Record<string, string>
  wanted_at: string | null
  listed_by: string | null
}

/** Makes a worker the owner of a server, replacing the previous one. @returns undefined when it was removed */
export async function takeServer(tx: Tx, box: SecretBox, ref: McpServerRef, worker: string): Promise<Hold | undefined> {
  const taken = await tx
    .updateTable('mcp_servers')
    .set((eb) => ({
      worker,
      epoch: eb('epoch', '+', 1),
      state: 'connecting' as const,
      pid: null,
      session_id: null,
      connected_at: null,
      active_requests: 0,
    }))
    .where('agent_id', '=', ref.agent_id)
    .where('name', '=', ref.name)
    .returning(['epoch', 'revision', 'origin', 'config', 'wanted_at', 'listed_by'])
    .executeTakeFirst()
  if (!taken) return undefined
  const { config, origin, ...rest } = taken
  const agent = await tx.selectFrom('agents').select('source').where('id', '=', ref.agent_id).executeTakeFirst()
  return {
    ...ref,
    ...rest,
    from_file: origin === 'config' && agent?.source === 'file',
    server: configOf({ ...ref, config }),
    secrets: await getSecrets(tx, box, secretOwner(ref)),
  }
}

export type ServerChange = Partial<
  Pick<
    ServerRow,
    | 'worker'
    | 'state'
    | 'pid'
    | 'session_id'
    | 'connected_at'
    | 'last_activity_at'
    | 'active_requests'
    | 'last_error'
    | 'stderr_tail'
    | 'wanted_at'
  >
>

/** Records the state of a server, unless another worker owns it. A connection after the first one counts as a reconnect. */
export async function changeServer(
  db: Db,
  hold: Pick<Hold, 'agent_id' | 'name' | 'epoch'>,
  change: ServerChange,
  again = false,
) {
  await db
    .updateTable('mcp_servers')
    .set((eb) => ({ ...change, ...(again && { reconnects: eb('reconnects', '+', 1) }) }))
    .where('agent_id', '=', hold.agent_id)
    .where('name', '=', hold.name)
    .where('epoch', '=', hold.epoch)
    .execute()
}

/** The servers that a worker owns according to the rows. */
export function listHeldBy(db: Db, worker: string) {
  return db
    .selectFrom('mcp_servers')
    .select(['agent_id', 'name', 'epoch', 'revision', 'wanted_at'])
    .where('worker', '=', worker)
    .execute()
}

/** Renews the lease of a worker. */
export async function renewWorker(db: Db, id: string): Promise<void> {
  const seen_at = new Date().toISOString()
  await db
    .insertInto('mcp_workers')
    .values({ id, seen_at })
    .onConflict((oc) => oc.column('id').doUpdateSet({ seen_at }))
    .execute()
}

/** The other workers, including those known only from rows of servers, with their last heartbeat. */
export async function listOtherWorkers(db: Db, id: string): Promise<{ id: string; seen_at: string }[]> {
  const known = await db.selectFrom('mcp_workers').selectAll().where('id', '!=', id).execute()
  const holders = await db
    .selectFrom('mcp_servers')
    .select('worker')
    .distinct()
    .where('worker', 'is not', null)
    .where('worker', '!=', id)
    .execute()
  const silent = holders.filter(({ worker }) => !known.some((each) => each.id === worker))
  return [...known, ...silent.map(({ worker }) => ({ id: worker ?? '', seen_at: '' }))]
}

/** Deletes a worker. @returns the servers that it owned, which now have no owner */
export async function removeWorker(tx: Tx, id: string): Promise<McpServerRef[]> {
  await tx.deleteFrom('mcp_workers').where('id', '=', id).execute()
  return tx
    .updateTable('mcp_servers')
    .set({ worker: null, state: 'waiting', pid: null, session_id: null, connected_at: null, active_requests: 0 })
    .where('worker', '=', id)
    .returning(['agent_id', 'name'])
    .execute()
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
  const gone = known.filter((before) => !tools.some(({ tool }) => tool === before.tool))
  // What comes with muxi changes with it, and with nothing else.
  const isOurs = 'builtin' in configOf(server)
  const rows = tools.map((tool, position) => {
    const before = isOurs ? undefined : known.find((each) => each.tool === tool.tool)
    return { ...of, ...tool, position, listed: 1, approved_hash: before?.approved_hash ?? tool.hash }
  })
  // Removed tools are kept as rows: one may reappear with another definition.
  const all = [...rows, ...gone.slice(0, MAX_GONE).map((each) => ({ ...each, listed: 0 }))]
  for (let at = 0; at < all.length; at += ROWS_A_STATEMENT) {
    await tx
      .insertInto('mcp_tools')
      .values(all.slice(at, at + ROWS_A_STATEMENT))
      .execute()
  }
  return rows.filter(({ hash, approved_hash }) => hash !== approved_hash).map(({ tool }) => tool)
}

const ROWS_A_STATEMENT = 100
const MAX_GONE = 1_000

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

/** The task queue for calls to a server, and its state. */
export async function locateServer(
  db: Db,
  ref: McpServerRef,
): Promise<Pick<ServerRow, 'worker' | 'state' | 'last_error' | 'config'> | undefined> {
  return db
    .selectFrom('mcp_servers')
    .select(['worker', 'state', 'last_error', 'config'])
    .where('agent_id', '=', ref.agent_id)
    .where('name', '=', ref.name)
    .executeTakeFirst()
}
