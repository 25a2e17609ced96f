// Standard input and output: for a client that started this process.
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'

/** Serves until standard input ends, or until SIGTERM or SIGINT. Nothing else may write to standard output. */
export async function serveStdio(server: McpServer): Promise<void> {
  const stopped = new Promise<void>((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => resolve())
    for (const event of ['end', 'close'] as const) process.stdin.once(event, () => resolve())
  })
  process.stdout.on('error', () => process.exit(0))
  await server.connect(new StdioServerTransport())
  await stopped
  await server.close()
}
