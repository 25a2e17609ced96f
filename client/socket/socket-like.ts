// What the client uses of a WebSocket. Those of browsers, Node, Deno and the `ws` package have it; another one, such as one
// that stays in this process, needs no more.

/** A WebSocket that begins to connect when it is made. */
export interface SocketLike {
  /** Bytes that were given to `send` and have not left yet; 0 where nothing is buffered. */
  readonly bufferedAmount: number
  /** @param text a frame, as JSON; called after `open` only */
  send(text: string): void
  close(code?: number, reason?: string): void
  /** Ends the connection without waiting for the peer, where it can. */
  terminate?(): void
  addEventListener(type: 'open', listener: () => void): void
  /** @param listener gets the text of a frame as `data` */
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void
  /** Follows every connection, also one that was never open, exactly once. */
  addEventListener(type: 'close', listener: (event: { code: number; reason: string }) => void): void
  /** A `close` follows. */
  addEventListener(type: 'error', listener: () => void): void
}

/** The second argument, of implementations that send headers; those of browsers throw. */
export interface SocketInit {
  headers: Record<string, string>
}

/**
 * Called with the URL of the socket and, when there is an API key, a `SocketInit` with its `authorization` header. When that
 * throws, or the server answers with 4401, it is called with the URL only, which then has a single-use ticket.
 */
export type SocketConstructor = new (url: string, init?: never) => SocketLike
