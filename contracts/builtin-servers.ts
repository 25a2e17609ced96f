// The built-in MCP servers and their settings; nothing else is passed into their environment.

export interface BuiltinServer {
  /** Keys of services, which any client that may add the server may set. */
  keys: readonly string[]
  /** Settings that determine where it connects to: only the operator may set them. */
  settings: readonly string[]
}

export const BUILTIN_SERVERS = {
  calculator: { keys: [], settings: [] },
  search: {
    keys: ['BRAVE_API_KEY', 'TAVILY_API_KEY'],
    settings: ['SEARCH_PROVIDER', 'SEARXNG_BASE_URL', 'BRAVE_BASE_URL', 'TAVILY_BASE_URL', 'MUXI_ALLOW_PRIVATE_URLS'],
  },
} as const satisfies Record<string, BuiltinServer>

/** Set only by muxi: blocks private networks for a built-in server, regardless of its settings. */
export const GUARDED = 'MUXI_GUARDED'

export type BuiltinName = keyof typeof BUILTIN_SERVERS
