// The MCP servers of an agent follow its description: new, changed and vanished ones.
import { mapAll } from '../../contracts/map-all.ts'
import type { McpServerRef } from '../../contracts/mcp.ts'
import type { AgentConfig } from '../../contracts/schemas/agent.ts'
import { deleteServer, listConfiguredServers, listServers, putServer } from '../../db/queries/mcp-servers.ts'
import type { Tx } from '../../db/schema.ts'
import type { SecretBox } from '../../db/secret-box.ts'
import type { ApiContext } from './context.ts'
import { startMcpServer } from './engine.ts'

/** Its supervisor detects the removal and stops it with its program. */
export async function removeServer(
  { storage: { db } }: Pick<ApiContext, 'storage'>,
  ref: McpServerRef,
): Promise<boolean> {
  return db.transaction().execute((tx) => deleteServer(tx, ref))
}

export interface DescribedAgent {
  id: string
  config: AgentConfig
  secrets: Readonly<Record<string, string>>
}

/** Brings an agent's servers to what its description names: new, changed and vanished ones. Those added over the API stay. */
export async function syncServersOf(context: ApiContext, agent: DescribedAgent): Promise<void> {
  const { db, box } = context.storage
  await db.transaction().execute((tx) => putServersOf(tx, box, agent))
  await startServersOf(context, agent)
}

/** The rows of `syncServersOf`. @param replaces which servers vanish when they are not named */
export async function putServersOf(
  tx: Tx,
  box: SecretBox,
  { id, config, secrets }: DescribedAgent,
  replaces: 'config' | 'all' = 'config',
): Promise<void> {
  const servers = config.mcp_servers ?? []
  for (const [index, server] of servers.entries()) {
    const prefix = `mcp_servers.${index}.`
    const own = Object.entries(secrets).filter(([path]) => path.startsWith(prefix))
    const below = Object.fromEntries(own.map(([path, value]) => [path.slice(prefix.length), value]))
    await putServer(tx, box, { agent_id: id, origin: 'config', server, secrets: below })
  }
  for (const { name, origin } of await listServers(tx, id)) {
    if ((replaces === 'all' || origin === 'config') && !servers.some((server) => server.name === name))
      await deleteServer(tx, { agent_id: id, name })
  }
}

/** Starts the workflows of an agent's servers; the sweeper starts what cannot be started now. */
export async function startServersOf(context: ApiContext, { id, config }: DescribedAgent): Promise<void> {
  const late = (error: unknown) =>
    context.log.warn({ err: error, agent_id: id }, 'an MCP server could not be started yet')
  await mapAll(config.mcp_servers ?? [], ({ name }) => startMcpServer(context, { agent_id: id, name }).catch(late))
}

/** The same for every agent of the operator's files; servers of deleted agents are removed. */
export async function syncServers(context: ApiContext, agents: readonly DescribedAgent[]): Promise<void> {
  await mapAll(agents, (agent) => syncServersOf(context, agent))
  for (const ref of await listConfiguredServers(context.storage.db, 'file')) {
    if (!agents.some(({ id }) => id === ref.agent_id)) await removeServer(context, ref)
  }
}
