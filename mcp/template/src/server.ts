// The MCP server: one for each client.
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import type { Config } from './config.ts'
import { tools } from './tools/index.ts'

export const NAME = 'template-server'
const VERSION = '0.1.0'

export function createServer(config: Config): McpServer {
  const server = new McpServer({ name: NAME, version: VERSION })
  for (const tool of tools) tool.register(server, config)
  return server
}
