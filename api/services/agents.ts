// Agents: views and creation for the API.
import { separateSecrets } from '../../contracts/agent-secrets.ts'
import { wrongField } from '../../contracts/failures.ts'
import { resolveAgent, type AgentInput } from '../../contracts/schemas/agent.ts'
import { createAgent, getAgentStats, refuseTaken, type AgentRow, type ImportedFile } from '../../db/queries/agents.ts'
import { listSources } from '../../db/queries/knowledge.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { listServers } from '../../db/queries/mcp-servers.ts'
import {
  checkAddresses,
  checkMemory,
  checkModel,
  checkOtherAgents,
  checkServers,
  resolveSecrets,
  withoutServers,
} from './agent-checks.ts'
import type { ApiContext } from './context.ts'
import { prepareSources } from './knowledge.ts'
import { viewServerBriefly } from './mcp-server-views.ts'
import { putServersOf, startServersOf } from './mcp-servers.ts'

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

const DOING = 'create the agent'

export interface AddedAgent {
  agent: AgentRow
  /** With the job that reads each. */
  sources: { id: string; job_id: string | undefined }[]
}

/** What an agent that is read from a file of the operator may do besides. */
export interface FromFile extends ImportedFile {
  id: string
}

/**
 * Creates an agent, with its MCP servers and knowledge, in one transaction: a failure leaves nothing.
 * @param from an agent file of the operator, whose variables have been replaced
 * @throws MuxiError bad_request, forbidden, not_found, unprocessable, conflict
 */
export async function addAgent(
  context: ApiContext,
  principal: Principal,
  input: AgentInput,
  from?: FromFile,
): Promise<AddedAgent> {
  const { storage } = context
  const id = from?.id ?? input.id ?? input.name
  if (id === undefined) throw wrongField(DOING, 'id', 'given')
  if (!from && (input.name ?? id) !== id)
    throw wrongField(DOING, 'name', "left out or the same as 'id', because both name the agent")
  checkMemory(DOING, input)
  // Knowledge is stored as sources, which are added and removed one by one.
  const { knowledge = [], mcp_servers: servers = [], ...rest } = input
  const checked = await checkServers(context, DOING, principal, servers, from !== undefined)
  const { config, secrets } = separateSecrets(
    resolveAgent({ ...rest, ...(servers.length > 0 && { mcp_servers: checked }) }, id, context.memoryDefaults),
  )
  if (!from) await checkAddresses(context, DOING, config)
  const resolved = from ? secrets : resolveSecrets(context, DOING, config, secrets)
  checkModel(context, DOING, config, resolved, from ? 'file' : 'api')
  await checkOtherAgents(context, DOING, config)
  // The transaction checks again; here nothing of an existing agent is read or stored.
  await refuseTaken(storage.db, id)
  const knowing = await prepareSources(context, principal, id, knowledge, from !== undefined)
  const described = { id, config, secrets: resolved }
  const added = await storage.db.transaction().execute(async (tx) => {
    const own = { ...described, secrets: withoutServers(resolved) }
    const agent = await createAgent(tx, storage.box, own, from)
    await putServersOf(tx, storage.box, described)
    return { agent, sources: await knowing.insert(tx) }
  })
  await startServersOf(context, described)
  await knowing.begin()
  return added
}
