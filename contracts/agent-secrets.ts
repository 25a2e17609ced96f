// Separates the secret values of an agent, so that they can be encrypted and never travel with it.
import type { AgentConfig } from './schemas/agent.ts'
import type { McpServer } from './schemas/mcp-server.ts'
import { dotted } from './schemas/faults.ts'

export interface SeparatedAgent {
  config: AgentConfig
  /** Each value by its path: `model.fallbacks.0.api_key`, `mcp_servers.0.credentials.TOKEN`, `mcp_servers.0.env.TOKEN`. */
  secrets: Record<string, string>
}

/**
 * Whether the value at this path of an agent is secret. Any variable of an MCP server may contain a key, so all of them are.
 */
export function isSecretPath(path: readonly (string | number)[]): boolean {
  if (path.at(-1) === 'api_key') return true
  if (path[0] !== 'mcp_servers') return false
  if (path[2] === 'oauth') return path[3] === 'client_secret'
  return path[2] === 'env' || (path[2] === 'credentials' && (path.length <= 4 || path.at(-1) === 'value'))
}

/** The path without names that may be misplaced values: `{TOKEN:sk-1}`, without a space after the colon, is one long name. */
export function showablePath(path: readonly (string | number)[]): (string | number)[] {
  return path.map((step, index) => {
    if (typeof step === 'number') return step
    const plain = /^[A-Za-z_][A-Za-z0-9_-]{0,31}$/.test(step)
    const named = index === 3 && path[0] === 'mcp_servers' && isSecretPath(path.slice(0, 4))
    return plain && !named ? step : '…'
  })
}

/** A copy of the agent without its secret values, and those values. */
export function separateSecrets(agent: AgentConfig): SeparatedAgent {
  const { config, secrets } = separate(agent, [])
  return { config: config as AgentConfig, secrets }
}

/** A copy of the agent, or of an MCP server, with its secret values in their places. */
export function joinSecrets<T>(from: T, secrets: Readonly<Record<string, string>>): T {
  const joined = structuredClone(from)
  for (const [path, value] of Object.entries(secrets)) {
    // No name in a path contains a dot.
    const steps = path.split('.')
    const parent = steps.slice(0, -1).reduce<unknown>((at, step) => (at as Record<string, unknown>)?.[step], joined)
    if (typeof parent === 'object' && parent !== null) Object.assign(parent, { [steps.at(-1)!]: value })
  }
  return joined
}

/** A copy of an MCP server without its secret values, and those values by their path in it: `credentials.TOKEN`. */
export function separateServer(server: McpServer): { config: McpServer; secrets: Record<string, string> } {
  const { config, secrets } = separate(server, ['mcp_servers', 0])
  const prefix = 'mcp_servers.0.'
  const below = Object.entries(secrets).map(([path, value]) => [path.slice(prefix.length), value])
  return { config: config as McpServer, secrets: Object.fromEntries(below) as Record<string, string> }
}

function separate(
  from: unknown,
  at: readonly (string | number)[],
): { config: unknown; secrets: Record<string, string> } {
  const secrets: Record<string, string> = {}
  function copy(value: unknown, path: readonly (string | number)[]): unknown {
    if (Array.isArray(value)) return value.map((item, index) => copy(item, [...path, index]))
    if (typeof value !== 'object' || value === null) return value
    const kept = Object.entries(value).flatMap(([key, item]) => {
      const at = [...path, key]
      if (typeof item !== 'string' || !isSecretPath(at)) return [[key, copy(item, at)]]
      secrets[dotted(at)] = item
      return []
    })
    return Object.fromEntries(kept)
  }
  return { config: copy(from, at), secrets }
}
