// Agents as the API shows and makes them.
import { separateSecrets } from '../../contracts/agent-secrets.ts'
import { MuxiError } from '../../contracts/failures.ts'
import { mcpFaults, withFallbacks } from '../../contracts/mcp-check.ts'
import { modelFaults } from '../../contracts/model-check.ts'
import { dotted } from '../../contracts/schemas/faults.ts'
import { resolveAgent, type AgentConfig, type AgentInput } from '../../contracts/schemas/agent.ts'
import { mapAll } from '../../contracts/map-all.ts'
import { createAgent, getAgentStats, type AgentRow } from '../../db/queries/agents.ts'
import { listSources } from '../../db/queries/knowledge.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { listServers } from '../../db/queries/mcp.ts'
import type { ApiContext } from './context.ts'
import { prepareSources } from './knowledge.ts'
import { checkServer, syncServersOf, viewServerBriefly } from './mcp-servers.ts'
import { resolveSecret } from './secret-values.ts'

/** What an agent without a model shows as its model. */
const AUTO = { provider: 'auto', model: 'auto' }

export async function viewAgentBriefly({ storage: { db } }: ApiContext, agent: AgentRow) {
  const { provider, model } = agent.config.model ?? AUTO
  const { conversations, total_messages } = await getAgentStats(db, agent.id)
  return {
    id: agent.id,
    description: agent.description,
    model: { provider, model },
    created_at: agent.created_at,
    stats: { conversations, total_messages },
  }
}

export async function viewAgent({ storage: { db } }: ApiContext, agent: AgentRow) {
  const { config } = agent
  const { provider, model } = config.model ?? AUTO
  return {
    id: agent.id,
    description: agent.description,
    model: { provider, model, temperature: config.model?.temperature, top_p: config.model?.top_p },
    system_message: config.system_message,
    memory: config.memory,
    on_busy: config.on_busy,
    created_at: agent.created_at,
    updated_at: agent.updated_at,
    stats: await getAgentStats(db, agent.id),
    mcp_servers: (await listServers(db, agent.id)).map((server) => {
      const { name, type, connected } = viewServerBriefly(server)
      return { name, type, connected }
    }),
    knowledge_sources: (await listSources(db, agent.id)).map(({ created_at: _, ...source }) => source),
    source: agent.source,
    version: agent.version,
  }
}

export interface AddedAgent {
  agent: AgentRow
  /** With the job that reads each. */
  sources: { id: string; job_id: string | undefined }[]
}

/** Makes an agent from what was posted. @throws MuxiError bad_request, forbidden, not_found, unprocessable, conflict */
export async function addAgent(context: ApiContext, principal: Principal, input: AgentInput): Promise<AddedAgent> {
  const { storage, providers, apiEnv } = context
  const id = input.id ?? input.name
  if (id === undefined) {
    throw new MuxiError('bad_request', "Cannot create the agent: 'id' must be given", {
      details: { fields: [{ path: 'id', expected: 'given' }] },
    })
  }
  // What it knows is kept as sources, which are added and removed one by one.
  const { knowledge = [], mcp_servers: servers = [], ...rest } = input
  for (const { path, expected } of mcpFaults(withFallbacks(servers, apiEnv))) {
    throw new MuxiError('unprocessable', `Cannot create the agent: '${dotted(path)}' must be ${expected}`)
  }
  const checked = await mapAll(servers, (server) => checkServer(context, principal, server))
  const { config, secrets } = separateSecrets(
    resolveAgent({ ...rest, ...(servers.length > 0 && { mcp_servers: checked }) }, id),
  )
  const resolved = Object.fromEntries(
    Object.entries(secrets).map(([path, value]) => [path, resolveSecret('create the agent', path, value, apiEnv)]),
  )
  checkModel(config, resolved, providers)
  const addSources = await prepareSources(context, principal, knowledge)
  const agent = await storage.db
    .transaction()
    .execute((tx) => createAgent(tx, storage.box, { id, config, secrets: resolved }))
  await syncServersOf(context, { id, config, secrets: resolved })
  return { agent, sources: await addSources(id) }
}

function checkModel(config: AgentConfig, secrets: Record<string, string>, providers: ApiContext['providers']): void {
  const faults = modelFaults(config.model, providers).filter(({ path }) => secrets[dotted(path)] === undefined)
  if (faults.length === 0) return
  const fields = faults.map(({ path, expected }) => ({ path: dotted(path), expected }))
  throw new MuxiError(
    'unprocessable',
    `Cannot create the agent: ${fields.map(({ path, expected }) => `'${path}' must be ${expected}`).join('; ')}`,
    {
      details: { fields },
    },
  )
}
