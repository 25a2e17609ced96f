// The HTTP and WebSocket server: Elysia behind node:http, the same on Node and Deno.
import { readFileSync } from 'node:fs'
import {
  createServer,
  maxHeaderSize,
  type RequestListener,
  type ServerOptions as HttpOptions,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import type { ServerRequest } from 'srvx'
import { toNodeHandler } from 'srvx/node'
import { newId } from '../contracts/ids.ts'
import { MuxiError } from '../contracts/failures.ts'
import { answer, createApp } from './app.ts'
import { drain } from './body.ts'
import { errorResponse } from './errors.ts'
import { Origins } from './origins.ts'
import type { ApiContext } from './services/context.ts'
import { CLIENT_LIMITS, clientTimeouts, limitClients } from './slow-clients.ts'
import { serveWebSocket } from './websocket.ts'

/** Drain timeout of open requests at shutdown, in milliseconds. */
const DRAIN_MS = 5_000

export interface ServerOptions {
  host: string
  port: number
  public_url?: string | undefined
  /** Paths of PEM files; undefined: plain HTTP. */
  tls?: { cert: string; key: string } | undefined
  version: string
}

export interface RunningServer {
  url: string
  /** Stops accepting, closes sockets with 1012, waits for open requests, then closes. */
  close(): Promise<void>
}

const HTTP: HttpOptions = {
  ...clientTimeouts(CLIENT_LIMITS),
  // The check of `Host` refuses a request without one, with a body.
  requireHostHeader: false,
  // Any other upgrade, such as h2c, may be ignored (RFC 9110, 7.8): the request is served without it.
  shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
}

/** Starts to listen. */
export async function startServer(context: ApiContext, options: ServerOptions): Promise<RunningServer> {
  const origins = new Origins([
    options.public_url,
    `${schemeOf(options)}://${bracketed(options.host)}:${options.port}`,
    context.temporalUiUrl,
  ])
  const app = createApp(context, origins, { version: options.version, encrypted: options.tls !== undefined })
  const handler = toNodeHandler(async (request) => {
    const response = await answer(context, app, request)
    if (response.status >= 400) await readRest(request)
    return response
  }) as RequestListener
  const listener: RequestListener = (request, response) => {
    const answer = async () => handler(request, response)
    answer().catch((error: unknown) => {
      context.log.error({ err: error }, 'a response could not be sent')
      response.destroy()
    })
  }
  const server = options.tls
    ? createTlsServer({ ...HTTP, ...readTls(options.tls) }, listener)
    : createServer(HTTP, listener)
  limitClients(server, CLIENT_LIMITS)
  server.on('clientError', (error, socket) => refuseUnreadable(error, socket))
  server.on('checkExpectation', (_, response) => refuseExpectation(response))
  const closeSockets = serveWebSocket(server, context, origins)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, resolve)
  }).catch(async (error: unknown) => {
    await closeSockets()
    throw error
  })
  return {
    url: urlOf(options),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      await closeSockets()
      server.closeIdleConnections()
      const deadline = setTimeout(() => server.closeAllConnections(), DRAIN_MS)
      await closed
      clearTimeout(deadline)
    },
  }
}

/** Reads what a refused request still sends: before the answer where the connection is closed after it, which would take the answer with it. */
async function readRest({ body, runtime }: ServerRequest): Promise<void> {
  const { headers, httpVersion, socket } = runtime?.node?.req ?? {}
  const drained = drain(body).then((isWhole) => isWhole || socket?.destroySoon())
  if (httpVersion === '1.0' || headers?.connection?.toLowerCase() === 'close') await drained
}

const MUST: Record<string, string> = {
  HPE_HEADER_OVERFLOW: `its address and headers must be at most ${maxHeaderSize} bytes together`,
  ERR_HTTP_REQUEST_TIMEOUT: `its headers must arrive within ${CLIENT_LIMITS.headers_ms / 1_000} s`,
}

/** Answers a request that is not HTTP, that is too slow, or whose headers are too long, as every other error; Node's own answer has no body. */
function refuseUnreadable(error: Error, socket: Duplex): void {
  const must = MUST[(error as NodeJS.ErrnoException).code ?? ''] ?? 'it must be HTTP'
  if (!socket.writable) return void socket.destroy()
  const { status, headers, text } = unreadable(must)
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, 'connection: close']
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`)
}

/** Answers a request with an `Expect` other than `100-continue`. */
function refuseExpectation(response: ServerResponse): void {
  const { headers, text } = unreadable("'Expect' must be 100-continue")
  response.writeHead(417, headers).end(text)
}

function unreadable(must: string) {
  const requestId = newId('req')
  const { status, body } = errorResponse(new MuxiError('bad_request', `Cannot read the request: ${must}`), requestId)
  const text = JSON.stringify(body)
  const headers = {
    'content-type': 'application/json;charset=utf-8',
    'content-length': String(Buffer.byteLength(text)),
    'x-request-id': requestId,
  }
  return { status, headers, text }
}

function readTls({ cert, key }: { cert: string; key: string }) {
  const handshakeTimeout = CLIENT_LIMITS.headers_ms
  return { cert: readFileSync(cert), key: readFileSync(key), minVersion: 'TLSv1.2' as const, handshakeTimeout }
}

/** The URL of a listening server on this machine. */
export function urlOf({ host, port, tls }: Pick<ServerOptions, 'host' | 'port' | 'tls'>): string {
  return `${schemeOf({ tls })}://${host === '0.0.0.0' || host === '::' ? '127.0.0.1' : bracketed(host)}:${port}`
}

function schemeOf({ tls }: Pick<ServerOptions, 'tls'>): string {
  return tls ? 'https' : 'http'
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
