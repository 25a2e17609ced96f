// What an agent described over the API must fulfil beyond its schema: models that can be called, addresses that may be reached,
// other agents that exist, and secrets that it may use.
import { mcpFaults } from '../../contracts/mcp-check.ts'
import { MuxiError, wrongField } from '../../contracts/failures.ts'
import { mapAll } from '../../contracts/map-all.ts'
import { modelFaults } from '../../contracts/model-check.ts'
import { otherAgentFaults } from '../../contracts/other-agents.ts'
import type { AgentConfig, AgentInput, AgentSource } from '../../contracts/schemas/agent.ts'
import { dotted } from '../../contracts/schemas/faults.ts'
import type { McpServer } from '../../contracts/schemas/mcp-server.ts'
import { UrlRefused } from '../../contracts/url-refused.ts'
import { namesVariable } from '../../contracts/variables.ts'
import { listDescriptions } from '../../db/queries/agents.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { checkServer } from './add-mcp-server.ts'
import type { ApiContext } from './context.ts'
import { resolveSecret, resolveServer } from './secret-values.ts'

/** The failed action, which completes "Cannot …". */
export type Doing = 'create the agent' | 'change the agent'

interface Fault {
  path: string | readonly (string | number)[]
  expected: string
  why?: string
}

/** @throws MuxiError unless there are no faults */
export function refuse(doing: Doing, code: 'bad_request' | 'unprocessable', faults: readonly Fault[]): void {
  if (faults.length === 0) return
  const named = faults.map(({ path, ...rest }) => ({ ...rest, path: typeof path === 'string' ? path : dotted(path) }))
  const told = named.map(({ path, expected, why }) => `'${path}' must be ${expected}${why ? `: ${why}` : ''}`)
  const fields = named.map(({ path, expected }) => ({ path, expected }))
  throw new MuxiError(code, `Cannot ${doing}: ${told.join('; ')}`, { details: { fields } })
}

/** @throws MuxiError bad_request when the memory names a database */
export function checkMemory(doing: Doing, { memory }: Pick<AgentInput, 'memory'>): void {
  if (typeof memory?.long_term === 'string')
    throw wrongField(
      doing,
      'memory.long_term',
      'true or false: only agent files may name the database, which is always the main one',
    )
}

/**
 * The MCP servers with the values of their credentials, if this key may add them.
 * @param isResolved whether they have these already, being read from a file of the operator
 * @throws MuxiError forbidden, unprocessable
 */
export async function checkServers(
  context: ApiContext,
  doing: Doing,
  principal: Principal,
  servers: McpServer[],
  isResolved = false,
): Promise<McpServer[]> {
  const resolved = isResolved
    ? servers
    : servers.map((server, index) => resolveServer(doing, server, context.apiEnv, ['mcp_servers', index]))
  refuse(doing, 'unprocessable', mcpFaults(resolved))
  await mapAll(resolved, (server) => checkServer(context, principal, server))
  return resolved
}

/** The secrets with the variables that they name; those of MCP servers are resolved already. @throws MuxiError unprocessable */
export function resolveSecrets(
  { apiEnv }: Pick<ApiContext, 'apiEnv'>,
  doing: Doing,
  config: AgentConfig,
  secrets: Readonly<Record<string, string>>,
): Record<string, string> {
  refuseSharedKeys(doing, config, secrets)
  return Object.fromEntries(
    Object.entries(secrets).map(([path, value]) => [
      path,
      path.startsWith('mcp_servers.') ? value : resolveSecret(doing, path, value, apiEnv),
    ]),
  )
}

/** The secrets without those of MCP servers, which are stored with each server. */
export function withoutServers(secrets: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(secrets).filter(([path]) => !path.startsWith('mcp_servers.')))
}

/** The models of an agent with a `base_url`, each with its path. */
function addressedModels({ model }: AgentConfig): { path: string; base_url: string }[] {
  if (!model) return []
  const fallbacks = (model.fallbacks ?? []).map((each, index) => ({ ...each, path: `model.fallbacks.${index}` }))
  return [{ ...model, path: 'model' }, ...fallbacks].flatMap(({ path, base_url }) =>
    base_url === undefined ? [] : [{ path, base_url }],
  )
}

/** Refuses disallowed addresses of models. A name that cannot be resolved now passes: every call checks again. @throws MuxiError bad_request */
export async function checkAddresses({ checkUrl }: ApiContext, doing: Doing, config: AgentConfig): Promise<void> {
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
  refuse(doing, 'bad_request', checked.flat())
}

/** A variable of the environment is never sent to an address from the API. */
function refuseSharedKeys(doing: Doing, config: AgentConfig, secrets: Readonly<Record<string, string>>): void {
  const shared = addressedModels(config).filter(({ path }) => namesVariable(secrets[`${path}.api_key`] ?? ''))
  refuse(
    doing,
    'unprocessable',
    shared.map(({ path }) => ({
      path: `${path}.api_key`,
      expected: `a key itself, without the name of a variable, because '${path}.base_url' is given`,
    })),
  )
}

/** The agents that it names must exist, except that one of them may be removed later: then a call of it fails. @throws MuxiError unprocessable */
export async function checkOtherAgents(
  { storage: { db } }: ApiContext,
  doing: Doing,
  config: AgentConfig,
): Promise<void> {
  const known = await listDescriptions(db, [...(config.agent_tools ?? []), ...(config.handoffs ?? [])])
  const faults = otherAgentFaults(config, config.id, (id) => known.has(id))
  refuse(doing, 'unprocessable', faults)
}

/** @throws MuxiError unprocessable when no model of the agent can be called, or can do what it requires */
export function checkModel(
  { providers, abilityFaults }: Pick<ApiContext, 'providers' | 'abilityFaults'>,
  doing: Doing,
  config: AgentConfig,
  secrets: Readonly<Record<string, string>>,
  source: AgentSource = 'api',
): void {
  const faults = [...modelFaults(config.model, providers, source), ...abilityFaults(config, source)].filter(
    ({ path }) => secrets[dotted(path)] === undefined,
  )
  refuse(doing, 'unprocessable', faults)
}
