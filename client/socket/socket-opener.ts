// Opens the WebSocket: with the key in a header where that can be sent, and otherwise with a single-use ticket in its URL.
import { SILENCE_MS } from '../backoff.ts'
import type { Http } from '../http.ts'
import type { SocketInit, SocketLike } from './socket-like.ts'

const NORMAL = 1000
const CLOSE_MS = 2_000

export class SocketOpener {
  readonly #http: Http
  usesTicket = false

  constructor(http: Http) {
    this.#http = http
  }

  /** @returns undefined when there must be a ticket */
  construct(ticket?: string): SocketLike | undefined {
    const { WebSocket = globalThis.WebSocket, apiKey } = this.#http.options
    if (!WebSocket)
      throw new TypeError("Cannot open a socket: this runtime has no WebSocket, so the option 'WebSocket' must be one")
    const Socket = WebSocket as unknown as new (url: string, init?: SocketInit) => SocketLike
    const url = new URL(this.#http.url('/ws'), (globalThis.location as Location | undefined)?.href)
    url.protocol = url.protocol.replace('http', 'ws')
    if (ticket !== undefined) url.searchParams.set('ticket', ticket)
    else if (this.usesTicket) return undefined
    else if (apiKey !== undefined)
      try {
        return new Socket(url.href, { headers: { authorization: `Bearer ${apiKey}` } })
      } catch {
        // It takes protocols there, as browsers do.
        this.usesTicket = true
        return undefined
      }
    return new Socket(url.href)
  }

  async ticket(signal: AbortSignal): Promise<string> {
    const init = { signal, maxRetries: 0, timeoutMs: SILENCE_MS }
    const { ticket } = await this.#http.json<{ ticket: string }>('POST', '/ws/tickets', init)
    return ticket
  }
}

/** A lost connection is not waited for: its closing handshake may take minutes. */
export async function dispose(socket: SocketLike, gone: Promise<unknown>, isLast: boolean): Promise<void> {
  try {
    socket.close(NORMAL)
  } catch {
    // Not open yet.
  }
  if (!isLast) return socket.terminate?.()
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLOSE_MS)
  })
  await Promise.race([gone, late])
  clearTimeout(timer)
  socket.terminate?.()
}
