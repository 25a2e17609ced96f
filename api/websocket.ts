// /api/v1/ws: opens the sockets of callers that are allowed to, and closes them.
import { STATUS_CODES, type IncomingMessage, type Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import { MuxiError } from '../contracts/failures.ts'
import { newId } from '../contracts/ids.ts'
import type { Principal } from '../db/queries/keys.ts'
import type { ClientSide } from './clients.ts'
import { errorResponse, toMuxiError } from './errors.ts'
import type { Origins } from './origins.ts'
import { bearerOf } from './plugin.ts'
import { serveSocket } from './serve-socket.ts'
import { anybody, authenticate, authenticateTicket } from './services/access.ts'
import type { ApiContext } from './services/context.ts'
import { CLOSE, CLOSE_MS } from './socket-writer.ts'

const PATH = '/api/v1/ws'

/** Interval of pings, in milliseconds; a socket that has not answered one by the next is closed. */
const PING_MS = 30_000

/** Serves the WebSocket on an HTTP server. @returns a function that closes every socket with 1012 */
export function serveWebSocket(
  server: Server,
  context: ApiContext,
  origins: Origins,
  ping_ms = PING_MS,
): () => Promise<void> {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: context.limits.ws_frame_bytes })
  const stopPinging = pingAll(sockets, ping_ms)

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    const refusal = refuseUpgrade(request, origins, clientOf(context, request).host)
    if (refusal) return refuse(socket, refusal)
    sockets.handleUpgrade(request, socket, head, (opened) => void open(opened, socket, request))
  })

  sockets.on('wsClientError', ({ message }: Error, socket: Duplex) =>
    refuse(socket, new MuxiError('bad_request', `Cannot open a WebSocket: ${message}`)),
  )

  async function open(socket: WebSocket, connection: Duplex, request: IncomingMessage): Promise<void> {
    // ws closes the socket after an error; without a listener the event would end the process.
    socket.on('error', () => {})
    // Frames that arrive during the key lookup are queued.
    socket.pause()
    const principal = await authenticateUpgrade(context, request).catch((error: unknown) =>
      toMuxiError(error, context.log),
    )
    // The peer's close frame must be read in any case.
    socket.resume()
    const { address } = clientOf(context, request)
    if (principal instanceof MuxiError) {
      const { status } = principal
      context.audit.note({ principal: undefined, address, action: 'ws open', path: PATH, status, request_id: null })
      return socket.close(closeCodeOf(principal), principal.message.slice(0, 120))
    }
    // Closed during the key lookup: `close` is not emitted again.
    if (socket.readyState === socket.CLOSED) return undefined
    return serveSocket(socket, context, { principal, address, connection })
  }

  return async () => {
    stopPinging()
    for (const socket of sockets.clients) socket.close(CLOSE.restart, 'the server restarts')
    const deadline = setTimeout(() => sockets.clients.forEach((socket) => socket.terminate()), CLOSE_MS)
    await new Promise<void>((resolve) => sockets.close(() => resolve()))
    clearTimeout(deadline)
  }
}

/** Ends connections whose peer has disappeared without closing them. @returns a function that stops it */
function pingAll(sockets: WebSocketServer, ping_ms: number): () => void {
  const waiting = new WeakSet<WebSocket>()
  const timer = setInterval(() => {
    for (const socket of sockets.clients) {
      // Of a paused socket no answer is read.
      if (socket.readyState !== socket.OPEN || socket.isPaused) waiting.delete(socket)
      else if (waiting.has(socket)) socket.terminate()
      else {
        waiting.add(socket)
        socket.once('pong', () => waiting.delete(socket))
        socket.ping()
      }
    }
  }, ping_ms).unref()
  return () => clearInterval(timer)
}

function closeCodeOf({ code }: MuxiError): number {
  if (code === 'unavailable') return CLOSE.slow
  return code === 'rate_limited' ? CLOSE.tooMany : CLOSE.unauthorized
}

/** The reason to refuse an upgrade; undefined when it is accepted. */
function refuseUpgrade(request: IncomingMessage, origins: Origins, host = request.headers.host): MuxiError | undefined {
  if (pathOf(request).pathname !== PATH) return new MuxiError('not_found', 'There is no such address for a WebSocket')
  try {
    origins.check(host, request.headers.origin)
    return undefined
  } catch (error) {
    return error instanceof MuxiError ? error : new MuxiError('forbidden', 'Cannot open a WebSocket from there')
  }
}

/** Responds over HTTP, like every other refusal. */
function refuse(socket: Duplex, failure: MuxiError): void {
  const requestId = newId('req')
  const { status, body } = errorResponse(failure, requestId)
  const text = JSON.stringify(body)
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/json;charset=utf-8',
    `content-length: ${Buffer.byteLength(text)}`,
    `x-request-id: ${requestId}`,
    'connection: close',
  ]
  socket.once('finish', () => socket.destroy())
  socket.end(`${lines.join('\r\n')}\r\n\r\n${text}`)
}

async function authenticateUpgrade(context: ApiContext, request: IncomingMessage): Promise<Principal> {
  const { auth, rateLimiter } = context
  const { address } = clientOf(context, request)
  if (!auth) return anybody(context, address)
  const { searchParams } = pathOf(request)
  const ticket = searchParams.get('ticket')
  const secret = bearerOf(request.headers.authorization) ?? searchParams.get('api_key') ?? undefined
  const found = ticket === null ? authenticate(context, secret, address) : authenticateTicket(context, ticket, address)
  return rateLimiter.authenticated(found, address)
}

function clientOf({ clients }: ApiContext, { socket, headers }: IncomingMessage): ClientSide {
  return clients.of(socket.remoteAddress, (name) => headers[name]?.toString())
}

function pathOf(request: IncomingMessage): URL {
  return URL.canParse(request.url ?? '', 'http://localhost')
    ? new URL(request.url ?? '', 'http://localhost')
    : new URL('http://localhost/')
}
