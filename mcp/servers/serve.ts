// Starts a built-in MCP server: on standard input and output, or over HTTP on loopback with --http.
import { parseArgs } from 'node:util'
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { isJSONRPCRequest, type JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import { openHttp } from './http.ts'

export const VERSION = '0.2.0'
/** Drain timeout of running calls, in milliseconds. */
const DRAIN_MS = 5_000
/** Longest message on standard input, in bytes. */
const MAX_MESSAGE = 1_000_000

export interface Program {
  /** Its name, such as `muxi-calculator`. */
  name: string
  /** Default port of --http. */
  port: number
  /** Throws when its configuration is invalid. */
  check?: () => void
  /** A server for one client. */
  createServer: () => McpServer
  /** Closes resources that all clients share. */
  close: () => Promise<void>
}

/** Serves until SIGTERM, SIGINT or the end of standard input, then drains, and exits the process. */
export async function serve(program: Program): Promise<never> {
  try {
    const { http, port, help } = flagsOf(program)
    if (!help) program.check?.()
    if (help) console.log(usage(program))
    else if (http) await serveHttp(program, port)
    else await serveStdio(program)
    await program.close()
    process.exit(0)
  } catch (error) {
    console.error(`${program.name}: ${error instanceof Error ? error.message : String(error)}`)
    process.exit(1)
  }
}

function flagsOf(program: Program): { http: boolean; port: number; help: boolean } {
  const { values } = parseArgs({
    options: { http: { type: 'boolean' }, port: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  })
  const port = values.port === undefined ? program.port : Number(values.port)
  if (!/^\d+$/.test(values.port ?? '0') || port > 65_535)
    throw new Error(`Cannot start: '--port' must be a number from 0 to 65535, got '${values.port}'`)
  if (values.port !== undefined && !values.http) throw new Error(`Cannot start: '--port' needs '--http'`)
  return { http: values.http ?? false, port, help: values.help ?? false }
}

function usage({ name, port }: Program): string {
  return `${name}: an MCP server on standard input and output\n\n  --http         serve Streamable HTTP on loopback instead\n  --port <port>  where (${port} by default, 0 for any that is free)`
}

async function serveHttp(program: Program, port: number): Promise<void> {
  const stopped = signalled()
  const http = await openHttp(program.createServer, port)
  console.log(`${program.name} listens on ${http.url}`)
  await stopped
  await http.close(DRAIN_MS)
}

async function serveStdio(program: Program): Promise<void> {
  // The reader of the output may exit first.
  process.stdout.on('error', () => process.exit(0))
  const stopped = signalled()
  const inputEnded = new Promise<void>((resolve) => {
    for (const event of ['end', 'close', 'error']) process.stdin.once(event, resolve)
  })
  const transport = new StdioServerTransport(process.stdin, process.stdout, { maxBufferSize: MAX_MESSAGE })
  const server = program.createServer()
  await server.connect(transport)
  const answered = watch(transport)
  const closed = new Promise<void>((resolve) => (server.server.onclose = resolve))
  await Promise.race([stopped, inputEnded, closed])
  await answered(DRAIN_MS)
  await server.close()
}

function signalled(): Promise<void> {
  return new Promise((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => resolve())
  })
}

/**
 * Counts unanswered requests of a connected transport.
 * @returns a function that waits until none is left, or until a timeout in milliseconds
 */
function watch(transport: Transport): (ms: number) => Promise<void> {
  const open = new Set<unknown>()
  let onEmpty = () => {}
  const done = (id: unknown) => {
    if (open.delete(id) && open.size === 0) onEmpty()
  }
  const { onmessage } = transport
  transport.onmessage = (message: JSONRPCMessage, extra) => {
    if (isJSONRPCRequest(message)) open.add(message.id)
    else if ('method' in message && message.method === 'notifications/cancelled') done(message.params?.['requestId'])
    onmessage?.(message, extra)
  }
  const send = transport.send.bind(transport)
  transport.send = async (message, options) => {
    await send(message, options)
    if (!('method' in message)) done(message.id)
  }
  return async (ms) => {
    if (open.size === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    onEmpty = resolve
    const timer = setTimeout(resolve, ms)
    await promise
    clearTimeout(timer)
  }
}
