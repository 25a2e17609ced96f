// Streamable HTTP at /mcp: a session for each client; for callers on this machine, or elsewhere with a token.
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'

const MAX_SESSIONS = 100
/** Idle timeout of a session, in milliseconds. */
const IDLE_MS = 30 * 60_000
const MAX_BODY = 1_000_000
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']

export interface HttpOptions {
  host: string
  /** 0 selects a free port. */
  port: number
  /** Required bearer token; without one, any caller on this machine is accepted. */
  token?: string | undefined
  /** Accepted host names in addition to the loopback ones. */
  names?: readonly string[]
}

export interface HttpServer {
  url: string
  close(): Promise<void>
}

/** Reads HOST, PORT, MCP_TOKEN and MCP_HOSTS. @throws an error that names the invalid value */
export function readHttpOptions(env: NodeJS.ProcessEnv): HttpOptions {
  const { HOST: host = '127.0.0.1', PORT: port = '3000', MCP_TOKEN: token, MCP_HOSTS: names = '' } = env
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)
    throw new Error(`Cannot start: 'PORT' must be a number from 0 to 65535, got '${port}'`)
  if (![...LOOPBACK, '::1'].includes(host) && !token)
    throw new Error(`Cannot start: 'MCP_TOKEN' must be set when 'HOST' is no loopback address, got '${host}'`)
  return { host, port: Number(port), token: token || undefined, names: names.split(',').filter(Boolean) }
}

/** Serves until SIGTERM or SIGINT. */
export async function serveHttp(createServer: () => McpServer, options: HttpOptions): Promise<void> {
  const http = await openHttp(createServer, options)
  console.log(`listening on ${http.url}`)
  await new Promise<void>((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => resolve())
  })
  await http.close()
}

interface Session {
  server: McpServer
  transport: StreamableHTTPServerTransport
  /** Running requests, including streams. */
  busy: number
  usedAt: number
}

/** Listens. @throws when the port is in use */
export async function openHttp(createServer: () => McpServer, options: HttpOptions): Promise<HttpServer> {
  const { host, port, token, names = [] } = options
  const sessions = new Map<string, Session>()

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { host: named = '', origin, authorization = '' } = request.headers
    // Refuses requests of other web pages to a local server.
    if (!isOurs(`http://${named}`, names)) return refuse(response, 403, `'Host' must be one of our names`)
    if (origin !== undefined && !isOurs(origin, names))
      return refuse(response, 403, `'Origin' must be one of our names`)
    if (token !== undefined && !isSame(authorization, `Bearer ${token}`))
      return refuse(response, 401, `'Authorization' must be 'Bearer' and the token`)
    if (new URL(request.url ?? '/', 'http://localhost').pathname !== '/mcp')
      return refuse(response, 404, 'Nothing is here but /mcp')
    const id = request.headers['mcp-session-id']
    const session = id === undefined ? await begin() : sessions.get(String(id))
    if (session === 'full') return refuse(response, 503, `There are ${MAX_SESSIONS} sessions already`)
    if (!session) return refuse(response, 404, 'The session does not exist, or has ended')
    session.busy += 1
    response.once('close', () => {
      session.busy -= 1
      session.usedAt = Date.now()
    })
    await session.transport.handleRequest(request, response)
    // Without an `initialize` request there is no session.
    if (session.transport.sessionId === undefined) await session.server.close()
  }

  /** Opens a session; the longest idle one is closed if there are too many. */
  async function begin(): Promise<Session | 'full'> {
    if (sessions.size >= MAX_SESSIONS) {
      const idle = [...sessions.values()].filter(({ busy }) => busy === 0)
      const [oldest] = idle.toSorted((one, other) => one.usedAt - other.usedAt)
      if (!oldest) return 'full'
      await oldest.server.close()
    }
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      maxRequestBodySize: MAX_BODY,
      onsessioninitialized: (id) => void sessions.set(id, session),
    })
    const session: Session = { server: createServer(), transport, busy: 0, usedAt: Date.now() }
    await session.server.connect(transport)
    session.server.server.onclose = () => void sessions.delete(transport.sessionId ?? '')
    return session
  }

  const http = createHttpServer({ requestTimeout: 30_000 }, (request, response) => {
    answer(request, response).catch((error: unknown) => {
      console.error(error)
      refuse(response, 500, 'Something went wrong on our side')
    })
  })
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject)
    http.listen(port, host, resolve)
  })
  const idle = setInterval(() => {
    for (const { server, busy, usedAt } of sessions.values())
      if (busy === 0 && Date.now() - usedAt > IDLE_MS) void server.close()
  }, 60_000)
  const at = http.address() as AddressInfo
  return {
    url: `http://${at.family === 'IPv6' ? `[${at.address}]` : at.address}:${at.port}/mcp`,
    async close() {
      clearInterval(idle)
      const closed = new Promise((resolve) => http.close(resolve))
      for (const { server } of sessions.values()) await server.close()
      http.closeAllConnections()
      await closed
    },
  }
}

function isOurs(url: string, names: readonly string[]): boolean {
  return URL.canParse(url) && [...LOOPBACK, ...names].includes(new URL(url).hostname)
}

/** Constant-time comparison. */
function isSame(one: string, other: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(hash(one), hash(other))
}

function refuse(response: ServerResponse, status: number, message: string): void {
  if (response.headersSent) return void response.destroy()
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
  response.end(JSON.stringify({ jsonrpc: '2.0', error: { code: -32_000, message }, id: null }))
}
