// The HTTP and WebSocket server: Elysia behind node:http, the same on Node and Deno.
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener, type ServerOptions as HttpOptions } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { toNodeHandler } from 'srvx/node'
import { answer, createApp } from './app.ts'
import { Origins } from './origins.ts'
import type { ApiContext } from './services/context.ts'
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

// A client that does not read must not hold a connection forever; a streaming one may.
const HTTP: HttpOptions = {
  requestTimeout: 300_000,
  headersTimeout: 15_000,
  keepAliveTimeout: 75_000,
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
  const closeSockets = serveWebSocket(server, context, origins)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, resolve)
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

function readTls({ cert, key }: { cert: string; key: string }) {
  return { cert: readFileSync(cert), key: readFileSync(key), minVersion: 'TLSv1.2' as const }
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
