// An agent as it would be written in a file: for changes with its secrets, for exports with names of variables in their place.
import { joinSecrets, separateSecrets } from '../../contracts/agent-secrets.ts'
import { mapAll } from '../../contracts/map-all.ts'
import { resolveAgent, toAgentInput, type AgentInput } from '../../contracts/schemas/agent.ts'
import { getAgentSecrets, type AgentRow } from '../../db/queries/agents.ts'
import { configOf, getServerSecrets, listServers } from '../../db/queries/mcp-servers.ts'
import { withoutServers } from './agent-checks.ts'
import type { ApiContext } from './context.ts'

/** An agent with its secrets, and with the MCP servers that it has now. */
export async function readAgent({ storage: { db, box } }: ApiContext, agent: AgentRow): Promise<AgentInput> {
  const { mcp_servers: _described, ...input } = toAgentInput(agent.config)
  const secrets = withoutServers(await getAgentSecrets(db, box, agent.id, agent.version))
  const servers = await mapAll(await listServers(db, agent.id), async (row) =>
    joinSecrets(configOf(row), await getServerSecrets(db, box, row)),
  )
  return { ...joinSecrets(input, secrets), ...(servers.length > 0 && { mcp_servers: servers }) }
}

/** An agent with `${NAME}` in place of each secret. Knowledge is named where a file of the operator names it. */
export async function exportAgent(context: ApiContext, agent: AgentRow): Promise<AgentInput> {
  const { config, secrets } = separateSecrets(
    resolveAgent(await readAgent(context, agent), agent.id, context.memoryDefaults),
  )
  const { id, description, ...rest } = toAgentInput(config)
  return joinSecrets(escaped({ id, description, ...rest }), variablesOf(agent.id, config, Object.keys(secrets)))
}

/** In a file `$${` stands for `${`. */
function escaped<T>(value: T): T {
  return JSON.parse(JSON.stringify(value), (_, item: unknown) =>
    typeof item === 'string' ? item.replaceAll('${', () => '$${') : item,
  ) as T
}

/** The names of variables for secrets, by path: `${CLERK_MODEL_API_KEY}`, `${CLERK_CRM_TOKEN}`. */
function variablesOf(
  id: string,
  { mcp_servers = [] }: Pick<AgentInput, 'mcp_servers'>,
  paths: readonly string[],
): Record<string, string> {
  const used = new Set<string>()
  return Object.fromEntries(
    paths.map((path) => {
      const within = path.replace(
        /^mcp_servers\.(\d+)\.(env|credentials)\.(.*)$/,
        (_, index: string, __, name: string) => {
          const { name: server, credentials } = mcp_servers[Number(index)]!
          const listed = Array.isArray(credentials) ? credentials[Number.parseInt(name, 10)]?.id : undefined
          return `${server}.${listed ?? name}`
        },
      )
      const plain = `${id}_${within}`
        .toUpperCase()
        .replaceAll(/[^A-Z0-9]/g, '_')
        .replace(/^(?=\d)/, '_')
      let name = plain
      for (let count = 2; used.has(name); count += 1) name = `${plain}_${count}`
      used.add(name)
      return [path, `\${${name}}`]
    }),
  )
}
