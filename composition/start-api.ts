// Starts the API of a process: its context, the HTTP server, and the work that goes on beside its requests.
import { startServer } from '../api/server.ts'
import type { ApiContext } from '../api/services/context.ts'
import { runAgentDeletions } from '../api/services/delete-agent.ts'
import type { LoadedAgent } from '../config/agent-files.ts'
import { syncServers } from '../api/services/mcp-servers.ts'
import { createApiContext } from './api-context.ts'
import { type Composition, readVersion } from './composition.ts'
import { ensureKey } from './ensure-key.ts'
import { watchKnowledge } from './watch-knowledge.ts'

/** Starts the API, with the agents, servers and knowledge of the operator's files. @param closers gets what has to be closed */
export async function startApi(
  shared: Composition,
  closers: (() => Promise<void>)[],
): Promise<{ url: string; key?: string; readers: () => number }> {
  const { settings, storage } = shared
  const { context, agents } = await createApiContext(shared, closers)
  const key = await ensureKey(storage.db, settings.api_key, shared.log)
  const server = await startServer(context, { ...settings, tls: settings.edge.tls, version: readVersion() })
  closers.push(() => server.close())
  await startApiWork(shared, context, agents, closers)
  return { url: server.url, ...(key !== undefined && { key }), readers: () => context.openStreams.count }
}

/** Starts the MCP servers of the agents, and what goes on beside requests. @param closers gets what has to be closed */
export async function startApiWork(
  { settings, stopping }: Composition,
  context: ApiContext,
  agents: readonly LoadedAgent[],
  closers: (() => Promise<void>)[],
): Promise<void> {
  await syncServers(context, agents)
  const deleting = runAgentDeletions(context, settings.engine.sweep_ms, stopping)
  closers.push(() => deleting)
  const watching = watchKnowledge(context, agents, stopping)
  closers.push(() => watching)
}
