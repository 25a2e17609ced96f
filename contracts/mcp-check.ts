// Checks of an agent's MCP servers beyond the schema: unique names, existing and applicable credentials.
import { BUILTIN_SERVERS, type BuiltinServer } from './builtin-servers.ts'
import type { McpServer } from './schemas/mcp-server.ts'

export interface McpFault {
  /** Below the agent: `['mcp_servers', 0, 'credentials', 1, 'value']`. */
  path: (string | number)[]
  /** Completes "'<path>' must be …". */
  expected: string
}

/**
 * The servers, with credentials that have only an `env_fallback` read from the environment. Annotations of a built-in
 * server's tools
 * are trusted unless the configuration says otherwise.
 */
export function withFallbacks(servers: McpServer[], env: Readonly<Record<string, string | undefined>>): McpServer[] {
  return servers.map((given) => {
    const server = 'builtin' in given ? { trust_annotations: true, ...given } : given
    if (!Array.isArray(server.credentials)) return server
    const credentials = server.credentials.map((credential) => {
      const value =
        credential.value ?? (credential.env_fallback === undefined ? undefined : env[credential.env_fallback])
      return value === undefined ? credential : { ...credential, value }
    })
    return { ...server, credentials }
  })
}

/** The faults of servers whose fallbacks have been read. @param below their path */
export function mcpFaults(servers: readonly McpServer[], below: (string | number)[] = ['mcp_servers']): McpFault[] {
  return servers.flatMap((server, index) => faultsOf(server, servers.slice(0, index), [...below, index]))
}

/** The faults of one server, at its own path. */
export function faultsOf(server: McpServer, others: readonly McpServer[], path: (string | number)[]): McpFault[] {
  const faults: McpFault[] = []
  if (others.some(({ name }) => name === server.name))
    faults.push({ path: [...path, 'name'], expected: 'a name that no other server of the agent has' })
  if (server.name === 'builtin') faults.push({ path: [...path, 'name'], expected: 'a name that is not taken by muxi' })
  if ('url' in server && !URL.canParse(server.url))
    faults.push({ path: [...path, 'url'], expected: 'an address with a host and a port that can exist' })
  if ('command' in server && server.command.trim() === '')
    faults.push({ path: [...path, 'command'], expected: 'a program' })
  if ('builtin' in server) faults.push(...builtinFaults(server, path))
  if ('url' in server && server.oauth?.client_secret !== undefined && server.oauth.client_id === undefined)
    faults.push({ path: [...path, 'oauth', 'client_id'], expected: "given with 'oauth.client_secret'" })
  faults.push(...unsendable(server, path))
  if (!Array.isArray(server.credentials)) return faults
  for (const [index, credential] of server.credentials.entries()) {
    const at = [...path, 'credentials', index]
    const fits = credential.in === undefined || (credential.in === 'env') === !('url' in server)
    if (!fits)
      faults.push({
        path: [...at, 'in'],
        expected: 'url' in server ? "'header' or 'query' for a URL" : "'env' for a program",
      })
    if (credential.value !== undefined || !credential.required) continue
    const how = credential.env_fallback === undefined ? '' : `, or the variable ${credential.env_fallback} be set`
    faults.push({ path: [...at, 'value'], expected: `given${how}, because '${credential.id}' is required` })
  }
  return faults
}

const LATIN_1 = /^[\t\n\r\x20-\x7e\x80-\xff]*$/

/** Values that cannot be sent where they belong. */
function unsendable(server: McpServer, path: (string | number)[]): McpFault[] {
  const usual = 'url' in server ? 'header' : 'env'
  const { credentials = {} } = server
  const given = Array.isArray(credentials)
    ? credentials.map(({ value, in: place = usual }, index) => ({ below: [index, 'value'], value, place }))
    : Object.entries(credentials).map(([name, value]) => ({ below: [name], value, place: usual }))
  const env = Object.entries('env' in server ? (server.env ?? {}) : {})
  return [
    ...given.map((each) => ({ ...each, at: [...path, 'credentials', ...each.below] })),
    ...env.map(([name, value]) => ({ at: [...path, 'env', name], value, place: 'env' })),
  ].flatMap(({ at, value = '', place }) => {
    // Line breaks at its ends are not sent.
    if (place === 'header' && (!LATIN_1.test(value) || /[\r\n]/.test(value.trim())))
      return [{ path: at, expected: 'one line of Latin-1 characters, as it is sent in a header' }]
    return place === 'env' && value.includes('\0') ? [{ path: at, expected: 'text without NUL' }] : []
  })
}

/** The names of a built-in server's variables: from `env`, and from its credentials. */
export function variablesOf(server: BuiltinConfig): string[] {
  return valuesOf(server).map(([name]) => name)
}

/** The same with their values; undefined for a value from the environment. */
export function valuesOf({ env = {}, credentials = {} }: BuiltinConfig): [name: string, value: string | undefined][] {
  const named = Array.isArray(credentials)
    ? credentials.map(({ param_name, value }): [string, string | undefined] => [param_name, value])
    : Object.entries(credentials)
  return [...Object.entries(env), ...named]
}

type BuiltinConfig = Extract<McpServer, { builtin: unknown }>

/** Any other variable could change the runtime's behaviour. */
function builtinFaults(server: BuiltinConfig, path: (string | number)[]): McpFault[] {
  const { keys, settings }: BuiltinServer = BUILTIN_SERVERS[server.builtin]
  const known = [...keys, ...settings]
  if (variablesOf(server).every((name) => known.includes(name))) return []
  const expected =
    known.length === 0 ? 'left alone: this server takes no settings' : `given settings among ${known.join(', ')} alone`
  return [{ path, expected }]
}
