// Clients that connect and send nothing, or a little at a time, to hold connections: how long and how many.
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http'

export interface ClientLimits {
  /** From the connection, or the first byte of a later request, to the end of the headers, in milliseconds. */
  headers_ms: number
  /** Between two requests of a connection, in milliseconds. */
  idle_ms: number
  /** What a body may take besides its bytes, in milliseconds. */
  body_ms: number
  /** Bytes that must arrive each second after that, on average. */
  bytes_a_second: number
  /** Between two looks at the connections, in milliseconds. */
  check_ms: number
  connections: number
}

export const CLIENT_LIMITS: ClientLimits = {
  headers_ms: 15_000,
  idle_ms: 75_000,
  body_ms: 30_000,
  bytes_a_second: 500,
  check_ms: 5_000,
  connections: 10_000,
}

/** A body has no time limit of its own: a large upload may take hours, as long as its bytes flow. */
export function clientTimeouts({ headers_ms, idle_ms, check_ms }: ClientLimits): ServerOptions {
  return {
    requestTimeout: 0,
    headersTimeout: headers_ms,
    keepAliveTimeout: idle_ms,
    connectionsCheckingInterval: check_ms,
  }
}

interface Receiving {
  response: ServerResponse
  since: number
  /** Bytes that the connection had received before. */
  from: number
}

/**
 * Closes connections whose bodies arrive too slowly, until the server closes. The rule is that of Apache's
 * `RequestReadTimeout` with a minimum rate.
 */
export function limitClients(server: Server, limits: ClientLimits): void {
  const { body_ms, bytes_a_second, check_ms, connections } = limits
  server.maxConnections = connections
  const receiving = new Map<IncomingMessage, Receiving>()
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { 'content-length': length, 'transfer-encoding': encoding } = request.headers
    if (encoding === undefined && (length === undefined || Number(length) === 0)) return
    receiving.set(request, { response, since: performance.now(), from: request.socket.bytesRead })
  })
  const timer = setInterval(() => {
    const now = performance.now()
    for (const [request, { response, since, from }] of receiving) {
      const { socket, complete } = request
      if (complete || socket.destroyed) receiving.delete(request)
      // A stream, for example, whose route reads no body.
      else if (response.headersSent && !response.writableEnded) continue
      else if (now - since > body_ms + ((socket.bytesRead - from) / bytes_a_second) * 1_000) socket.destroy()
    }
  }, check_ms).unref()
  server.on('close', () => clearInterval(timer))
}
