// The HTTP and WebSocket server: Elysia behind node:http, the same on Node and Deno.
import { readFileSync } from 'node:fs'
import {
  createServer,
  maxHeaderSize,
  type RequestListener,
  type ServerOptions as HttpOptions,
  STATUS_CODES,
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { toNodeHandler } from 'srvx/node'
import { newId } from '../contracts/ids.ts'
import { MuxiError } from '../contracts/failures.ts'
import { answer, createApp } from './app.ts'
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
  const handler = toNodeHandler((request) => answer(context, app, request)) as RequestListener
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

const MUST: Record<string, string> = {
  HPE_HEADER_OVERFLOW: `its address and headers must be at most ${maxHeaderSize} bytes together`,
  ERR_HTTP_REQUEST_TIMEOUT: `its headers must arrive within ${CLIENT_LIMITS.headers_ms / 1_000} s`,
}

/** Answers a request that is not HTTP, that is too slow, or whose headers are too long, as every other error; Node's own answer has no body. */
function refuseUnreadable(error: Error, socket: Duplex): void {
  const must = MUST[(error as NodeJS.ErrnoException).code ?? ''] ?? 'it must be HTTP'
  const { status, body } = errorResponse(new MuxiError('bad_request', `Cannot read the request: ${must}`), newId('req'))
  const text = JSON.stringify(body)
  if (!socket.writable) return void socket.destroy()
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/json;charset=utf-8',
    `content-length: ${Buffer.byteLength(text)}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`)
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
