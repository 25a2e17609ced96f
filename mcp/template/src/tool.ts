// The interface of a tool: each file in tools/ exports one, and tools/index.ts lists them.
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import type { Config } from './config.ts'

export interface Tool {
  name: string
  /** Valid arguments; the tests call the tool with them. */
  sample: Record<string, unknown>
  /** Registers the tool. An error it throws is returned to the caller as an error of the call. */
  register(server: McpServer, config: Config): void
}
