// The MCP servers that come with muxi, and the settings each of them takes; nothing else is let into their environment.

export interface BuiltinServer {
  /** Keys of services, which whoever may attach the server may give. */
  keys: readonly string[]
  /** What decides where it connects to: the operator's to say. */
  settings: readonly string[]
}

export const BUILTIN_SERVERS = {
  calculator: { keys: [], settings: [] },
  search: {
    keys: ['BRAVE_API_KEY', 'TAVILY_API_KEY'],
    settings: ['SEARCH_PROVIDER', 'SEARXNG_BASE_URL', 'BRAVE_BASE_URL', 'TAVILY_BASE_URL', 'MUXI_ALLOW_PRIVATE_URLS'],
  },
} as const satisfies Record<string, BuiltinServer>

/** Set by muxi alone: keeps a server of ours from private networks, whatever its settings say. */
export const GUARDED = 'MUXI_GUARDED'

export type BuiltinName = keyof typeof BUILTIN_SERVERS
