// Agents: views and creation for the API.
import { separateSecrets } from '../../contracts/agent-secrets.ts'
import { MuxiError, wrongField } from '../../contracts/failures.ts'
import { UrlRefused } from '../../contracts/url-refused.ts'
import { mcpFaults, withFallbacks } from '../../contracts/mcp-check.ts'
import { modelFaults } from '../../contracts/model-check.ts'
import { dotted } from '../../contracts/schemas/faults.ts'
import { resolveAgent, type AgentConfig, type AgentInput } from '../../contracts/schemas/agent.ts'
import { otherAgentFaults } from '../../contracts/other-agents.ts'
import { mapAll } from '../../contracts/map-all.ts'
import { createAgent, getAgentStats, listDescriptions, refuseTaken, type AgentRow } from '../../db/queries/agents.ts'
import { listSources } from '../../db/queries/knowledge.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { listServers } from '../../db/queries/mcp-servers.ts'
import type { Db } from '../../db/schema.ts'
import type { ApiContext } from './context.ts'
import { prepareSources } from './knowledge.ts'
import { checkServer } from './add-mcp-server.ts'
import { viewServerBriefly } from './mcp-server-views.ts'
import { putServersOf, startServersOf } from './mcp-servers.ts'
import { isVariable, resolveSecret } from './secret-values.ts'

/** The model in the view of an agent without one. */
const AUTO = { provider: 'auto', model: 'auto' }

export async function viewAgentBriefly({ storage: { db } }: Pick<ApiContext, 'storage'>, agent: AgentRow) {
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
    ...(config.agent_tools && { agent_tools: config.agent_tools }),
    ...(config.handoffs && { handoffs: config.handoffs }),
    created_at: agent.created_at,
    updated_at: agent.updated_at,
    stats: await getAgentStats(db, agent.id),
    mcp_servers: (await listServers(db, agent.id)).map((server) => {
      const { name, type, connected, state } = viewServerBriefly(server)
      return { name, type, connected, state }
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

/** Creates an agent, with its MCP servers and knowledge, in one transaction: a failure leaves nothing. @throws MuxiError bad_request, forbidden, not_found, unprocessable, conflict */
export async function addAgent(context: ApiContext, principal: Principal, input: AgentInput): Promise<AddedAgent> {
  const { storage, apiEnv } = context
  const id = input.id ?? input.name
  if (id === undefined) throw wrongField('create the agent', 'id', 'given')
  if (typeof input.memory?.long_term === 'string')
    throw wrongField(
      'create the agent',
      'memory.long_term',
      'true or false: only agent files may name the database, which is always the main one',
    )
  // Knowledge is stored as sources, which are added and removed one by one.
  const { knowledge = [], mcp_servers: servers = [], ...rest } = input
  for (const { path, expected } of mcpFaults(withFallbacks(servers, apiEnv))) {
    throw new MuxiError('unprocessable', `Cannot create the agent: '${dotted(path)}' must be ${expected}`)
  }
  const checked = await mapAll(servers, (server) => checkServer(context, principal, server))
  const { config, secrets } = separateSecrets(
    resolveAgent({ ...rest, ...(servers.length > 0 && { mcp_servers: checked }) }, id, context.memoryDefaults),
  )
  await checkAddresses(context, config)
  refuseSharedKeys(config, secrets)
  const resolved = Object.fromEntries(
    Object.entries(secrets).map(([path, value]) => [path, resolveSecret('create the agent', path, value, apiEnv)]),
  )
  checkModel(config, resolved, context)
  await checkOtherAgents(storage.db, config)
  // The transaction checks again; here nothing of an existing agent is read or stored.
  await refuseTaken(storage.db, id)
  const knowing = await prepareSources(context, principal, id, knowledge)
  const described = { id, config, secrets: resolved }
  const added = await storage.db.transaction().execute(async (tx) => {
    const agent = await createAgent(tx, storage.box, described)
    await putServersOf(tx, storage.box, described)
    return { agent, sources: await knowing.insert(tx) }
  })
  await startServersOf(context, described)
  await knowing.begin()
  return added
}

/** The models of an agent with a `base_url`, each with its path. */
function addressedModels({ model }: AgentConfig): { path: string; base_url: string }[] {
  if (!model) return []
  const fallbacks = (model.fallbacks ?? []).map((each, index) => ({ ...each, path: `model.fallbacks.${index}` }))
  return [{ ...model, path: 'model' }, ...fallbacks].flatMap(({ path, base_url }) =>
    base_url === undefined ? [] : [{ path, base_url }],
  )
}

/** Refuses disallowed addresses. A name that cannot be resolved now passes: every call checks again. */
async function checkAddresses({ checkUrl }: ApiContext, config: AgentConfig): Promise<void> {
  const checked = await mapAll(addressedModels(config), async ({ path, base_url }) => {
    try {
      await checkUrl(base_url)
      return []
    } catch (error) {
      // The schema checks only the format: an invalid URL is refused with the other faults of the model.
      if (!(error instanceof UrlRefused) || !URL.canParse(base_url)) return []
      return [{ path: `${path}.base_url`, expected: 'an address that may be reached', why: error.message }]
    }
  })
  const faults = checked.flat()
  if (faults.length === 0) return
  const told = faults.map(({ path, expected, why }) => `'${path}' must be ${expected}: ${why}`).join('; ')
  const fields = faults.map(({ path, expected }) => ({ path, expected }))
  throw new MuxiError('bad_request', `Cannot create the agent: ${told}`, { details: { fields } })
}

/** A variable of the environment is never sent to an address from the API. */
function refuseSharedKeys(config: AgentConfig, secrets: Record<string, string>): void {
  const shared = addressedModels(config).filter(({ path }) => isVariable(secrets[`${path}.api_key`] ?? ''))
  if (shared.length === 0) return
  const fields = shared.map(({ path }) => ({
    path: `${path}.api_key`,
    expected: `a key itself, not the name of a variable, because '${path}.base_url' is given`,
  }))
  const told = fields.map(({ path, expected }) => `'${path}' must be ${expected}`).join('; ')
  throw new MuxiError('unprocessable', `Cannot create the agent: ${told}`, { details: { fields } })
}

/** The agents that it names must exist, except that one of them may be removed later: then a call of it fails. */
async function checkOtherAgents(db: Db, config: AgentConfig): Promise<void> {
  const known = await listDescriptions(db, [...(config.agent_tools ?? []), ...(config.handoffs ?? [])])
  const faults = otherAgentFaults(config, config.id, (id) => known.has(id))
  if (faults.length === 0) return
  const fields = faults.map(({ path, expected }) => ({ path: dotted(path), expected }))
  const told = fields.map(({ path, expected }) => `'${path}' must be ${expected}`).join('; ')
  throw new MuxiError('unprocessable', `Cannot create the agent: ${told}`, { details: { fields } })
}

function checkModel(
  config: AgentConfig,
  secrets: Record<string, string>,
  { providers, abilityFaults }: Pick<ApiContext, 'providers' | 'abilityFaults'>,
): void {
  const faults = [...modelFaults(config.model, providers, 'api'), ...abilityFaults(config, 'api')].filter(
    ({ path }) => secrets[dotted(path)] === undefined,
  )
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
