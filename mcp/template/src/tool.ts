// What a tool of this server is: each file in tools/ exports one, and tools/index.ts lists them.
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import type { Config } from './config.ts'

export interface Tool {
  name: string
  /** Arguments that fit; the tests call the tool with them. */
  sample: Record<string, unknown>
  /** Tells the server of the tool. What it throws is told to the caller as an error of the call. */
  register(server: McpServer, config: Config): void
}
