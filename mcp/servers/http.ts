// Streamable HTTP on loopback: one server per session, cross-origin requests refused, everything limited.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { randomUUID } from 'node:crypto'
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { isLoopbackHost } from '../../contracts/hosts.ts'

const PATH = '/mcp'
const MAX_SESSIONS = 64
/** Idle timeout of a session, in milliseconds. */
const IDLE_MS = 10 * 60_000
const MAX_BODY = 1_000_000
const MAX_CONNECTIONS = 256
/** Timeout for receiving a complete request, in milliseconds. */
const REQUEST_MS = 30_000

export interface OpenHttp {
  url: string
  /** Stops accepting, drains running requests for `drainMs` milliseconds, and closes the sessions. */
  close: (drainMs: number) => Promise<void>
}

/** Listens on loopback. @throws when the port is in use */
export async function openHttp(createMcpServer: () => McpServer, port: number): Promise<OpenHttp> {
  const sessions = new Sessions(createMcpServer)
  let open = 0
  let onQuiet = () => {}
  const server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS }, (request, response) => {
    if (request.method === 'POST') {
      open++
      response.once('close', () => {
        if (--open === 0) onQuiet()
      })
    }
    answer(request, response, sessions).catch((error: unknown) => {
      console.error(error)
      refuse(response, 500, 'Cannot answer: an unforeseen error')
    })
  })
  server.maxConnections = MAX_CONNECTIONS
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const idle = setInterval(() => void sessions.closeIdle(IDLE_MS), IDLE_MS / 10)
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${PATH}`,
    async close(drainMs) {
      clearInterval(idle)
      server.close()
      const quiet = new Promise<void>((resolve) => (onQuiet = resolve))
      const timer = setTimeout(onQuiet, drainMs)
      if (open > 0) await quiet
      clearTimeout(timer)
      await sessions.close()
      server.closeAllConnections()
    },
  }
}

async function answer(request: IncomingMessage, response: ServerResponse, sessions: Sessions): Promise<void> {
  const { host, origin } = request.headers
  // DNS rebinding: the Host header has the foreign name.
  if (!host || !isLoopback(`http://${host}`)) return refuse(response, 403, `Host must be a loopback name`)
  if (origin !== undefined && !isLoopback(origin)) return refuse(response, 403, 'Origin must be a loopback address')
  if (request.url?.split('?')[0] !== PATH) return refuse(response, 404, `Nothing is here but ${PATH}`)
  const id = request.headers['mcp-session-id']
  const session = id === undefined ? await sessions.open() : sessions.find(String(id))
  if (session === 'full') return refuse(response, 503, `Cannot open a session: there are ${MAX_SESSIONS} already`, 10)
  if (!session) return refuse(response, 404, 'The session does not exist, or has ended')
  await sessions.use(session, request, response)
}

function isLoopback(url: string): boolean {
  return URL.canParse(url) && isLoopbackHost(new URL(url).hostname)
}

function refuse(response: ServerResponse, status: number, message: string, retryAfter?: number): void {
  if (response.headersSent) return void response.destroy()
  response.writeHead(status, {
    'content-type': 'application/json',
    connection: 'close',
    ...(retryAfter !== undefined && { 'retry-after': String(retryAfter) }),
  })
  response.end(JSON.stringify({ jsonrpc: '2.0', error: { code: -32_000, message }, id: null }))
}

interface Session {
  server: McpServer
  transport: StreamableHTTPServerTransport
  /** Running requests, including streams. */
  busy: number
  used_at: number
}

class Sessions {
  readonly #createServer: () => McpServer
  readonly #sessions = new Map<string, Session>()
  /** Sessions that are not initialized yet count as well. */
  #opening = 0

  constructor(createMcpServer: () => McpServer) {
    this.#createServer = createMcpServer
  }

  find(id: string): Session | undefined {
    return this.#sessions.get(id)
  }

  /** Opens a session; the longest idle one is closed if there are too many. */
  async open(): Promise<Session | 'full'> {
    if (this.#sessions.size + this.#opening >= MAX_SESSIONS) {
      const idle = [...this.#sessions.values()].filter(({ busy }) => busy === 0)
      const oldest = idle.toSorted((one, other) => one.used_at - other.used_at)[0]
      if (!oldest) return 'full'
      await oldest.server.close()
    }
    this.#opening++
    const server = this.#createServer()
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      maxRequestBodySize: MAX_BODY,
      onsessioninitialized: (id) => void this.#sessions.set(id, session),
    })
    const session: Session = { server, transport, busy: 0, used_at: Date.now() }
    await server.connect(transport)
    server.server.onclose = () => void this.#sessions.delete(transport.sessionId ?? '')
    return session
  }

  /** Handles a request in a session; closes it again if the request did not initialize it. */
  async use(session: Session, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const isNew = session.transport.sessionId === undefined
    session.busy++
    response.once('close', () => {
      session.busy--
      session.used_at = Date.now()
    })
    try {
      await session.transport.handleRequest(request, response)
    } finally {
      if (isNew) this.#opening--
      if (session.transport.sessionId === undefined) await session.server.close()
    }
  }

  async closeIdle(ms: number): Promise<void> {
    const now = Date.now()
    for (const { server, busy, used_at } of this.#sessions.values())
      if (busy === 0 && now - used_at > ms) await server.close()
  }

  async close(): Promise<void> {
    for (const { server } of this.#sessions.values()) await server.close()
  }
}
