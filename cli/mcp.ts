// `muxi mcp <server>`: a built-in MCP server for other programs, on standard input and output or over HTTP.
import type { BuiltinName } from '../contracts/builtin-servers.ts'

const SERVERS: Record<BuiltinName, () => Promise<unknown>> = {
  calculator: () => import('../mcp/servers/calculator.ts'),
  search: () => import('../mcp/servers/search.ts'),
}

/** Serves until it is stopped. */
export async function serveMcp([name = '', ...flags]: string[]): Promise<void> {
  const server = Object.entries(SERVERS).find(([each]) => each === name)?.[1]
  if (!server)
    throw new Error(`Cannot run 'mcp': the server must be one of ${Object.keys(SERVERS).join(', ')}, got '${name}'`)
  // It parses its flags as if it had been started directly.
  process.argv.splice(2, Infinity, ...flags)
  await server()
}
