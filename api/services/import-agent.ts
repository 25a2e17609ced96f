// Imports agents: a configuration as in an agent file, or a file of the server.
import { setTimeout as delay } from 'node:timers/promises'
import { isSecretPath } from '../../contracts/agent-secrets.ts'
import { MuxiError, wrongField } from '../../contracts/failures.ts'
import type { AgentInput } from '../../contracts/schemas/agent.ts'
import { dotted } from '../../contracts/schemas/faults.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { listServers } from '../../db/queries/mcp-servers.ts'
import { authorize } from './access.ts'
import { addAgent, type AddedAgent } from './agents.ts'
import type { ApiContext } from './context.ts'

/** Longest wait for the MCP servers of an imported agent, in milliseconds; they go on connecting after it. */
const CONNECT_MS = 15_000
const LOOK_MS = 100
const DOING = 'import the agent'

export type ImportRequest = { config_path: string } | { config: AgentInput }

/** Creates an agent and waits for its MCP servers. @returns also how many of these are connected @throws MuxiError */
export async function importAgent(
  context: ApiContext,
  principal: Principal,
  request: ImportRequest,
): Promise<AddedAgent & { connected: number }> {
  const added = await ('config' in request ? fromContent(request.config) : fromPath(request.config_path))
  return { ...added, connected: await waitForServers(context, added.agent.id) }

  function fromContent(config: AgentInput): Promise<AddedAgent> {
    return addAgent(context, principal, unescaped(config, []) as AgentInput)
  }

  async function fromPath(path: string): Promise<AddedAgent> {
    authorize(principal, 'admin')
    const read = context.readAgentFile(path)
    if (!read) throw wrongField(DOING, 'config_path', 'a .yaml, .yml or .json file below MUXI_AGENTS_DIR')
    return addAgent(context, principal, read.input, read)
  }
}

/** In a configuration as in a file `$${` stands for `${`; a variable outside of a secret would be read from the environment. */
function unescaped(value: unknown, path: readonly (string | number)[]): unknown {
  if (Array.isArray(value)) return value.map((item, index) => unescaped(item, [...path, index]))
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unescaped(item, [...path, key])]))
  if (typeof value !== 'string' || isSecretPath(path)) return value
  return value.replaceAll(/\$?\$\{/g, (found) => {
    if (found === '$${') return '${'
    const expected = 'without variables, which only secrets may name (write $${ for the text ${ itself)'
    throw new MuxiError('unprocessable', `Cannot ${DOING}: '${dotted(path)}' must be ${expected}`, {
      details: { fields: [{ path: dotted(path), expected }] },
    })
  })
}

async function waitForServers({ storage: { db }, closing }: ApiContext, id: string): Promise<number> {
  const patience = AbortSignal.any([AbortSignal.timeout(CONNECT_MS), closing])
  for (;;) {
    const servers = await listServers(db, id)
    const isOpen = servers.some(({ state, last_error }) => last_error === null && !SETTLED.has(state))
    if (!isOpen || patience.aborted)
      return servers.filter(({ state, last_error }) => last_error === null && USABLE.has(state)).length
    await delay(LOOK_MS, undefined, { signal: patience }).catch(() => undefined)
  }
}

/** The tools of an idle server are known, and its program starts when one is called. */
const USABLE: ReadonlySet<string> = new Set(['connected', 'idle'])
const SETTLED: ReadonlySet<string> = new Set([...USABLE, 'needs_sign_in'])
