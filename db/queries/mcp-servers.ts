// MCP servers of agents: their configuration and state.
import { randomInt } from 'node:crypto'
import type { Selectable } from 'kysely'
import type { McpServerRef } from '../../contracts/mcp.ts'
import { canonicalJson } from '../../contracts/json.ts'
import type { PageAfter } from '../../contracts/schemas/lists.ts'
import type { McpServer } from '../../contracts/schemas/mcp-server.ts'
import { serverConfig } from '../columns.ts'
import { parseColumn } from '../json-column.ts'
import { differencesOf } from '../dialect.ts'
import type { SecretBox } from '../secret-box.ts'
import type { Db, McpServersTable, Tx } from '../schema.ts'
import { deleteSecrets, getSecrets, putSecrets } from './secrets.ts'
import { forgetSignIns } from './sign-ins.ts'

export type ServerRow = Selectable<McpServersTable>

/** Owner of a server's secrets. */
export const secretOwner = ({ agent_id, name }: McpServerRef) => `mcp/${agent_id}/${name}`

/** The lock for changes to an agent's servers and their tools. */
export function lockAgent(tx: Tx, agentId: string): Promise<void> {
  return differencesOf(tx).lockNames(tx, [`mcp/${agentId}`])
}

/** What a server is configured as, without credentials. */
export function configOf({ agent_id, name, config }: Pick<ServerRow, 'agent_id' | 'name' | 'config'>): McpServer {
  return parseColumn(serverConfig, config, `${agent_id}/${name}`)
}

/** The credentials of a server, decrypted, by their path in its configuration. */
export function getServerSecrets(db: Db | Tx, box: SecretBox, ref: McpServerRef): Promise<Record<string, string>> {
  return getSecrets(db, box, secretOwner(ref))
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

export async function deleteTools(tx: Tx, { agent_id, name }: McpServerRef): Promise<void> {
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

/** The servers of an agent by name; all of them without a page. */
export function listServers(db: Db | Tx, agentId: string, page?: PageAfter): Promise<ServerRow[]> {
  let query = db.selectFrom('mcp_servers').selectAll().where('agent_id', '=', agentId).orderBy('name')
  if (page) query = query.limit(page.limit)
  if (page?.cursor !== undefined) query = query.where('name', '>', page.cursor)
  return query.execute()
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
