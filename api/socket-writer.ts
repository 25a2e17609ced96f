// What is sent over one WebSocket, without growing the server's memory: writers wait for the reader, and one that stops
// reading is disconnected and must resume.
import type { Writable } from 'node:stream'
import type { ServerSocket } from './server-socket.ts'

/** Unsent bytes from which writers of streams wait. */
const WAIT_BYTES = 2 ** 17
/** Unsent bytes after which a reader is disconnected: answers and changes do not wait. */
const MAX_UNSENT = 4 * 2 ** 20
/** A reader that takes nothing for so long is disconnected, in milliseconds. */
const STALL_MS = 5_000
/** Timeout of the closing handshake, in milliseconds; of a slow reader, which has frames before it. */
export const CLOSE_MS = 2_000
const SLOW_CLOSE_MS = 10_000

/** Codes with which the server closes a socket. */
export const CLOSE = { unauthorized: 4401, tooMany: 4429, slow: 1013, restart: 1012 } as const

/** The reason of an abort; without one each abort makes an error with its stack. */
const CLOSED = new DOMException('The socket is closed', 'AbortError')

export class SocketWriter {
  readonly #socket: ServerSocket
  readonly #connection: Writable | undefined
  readonly #closed = new AbortController()
  readonly #onSlow: () => void
  #waiting: (() => void)[] = []
  #isHeld = false

  /**
   * @param connection what the socket writes to, where frames can be held to go out in one write
   * @param onSlow is called when a slow reader is disconnected
   */
  constructor(socket: ServerSocket, connection: Writable | undefined, onSlow: () => void) {
    this.#socket = socket
    this.#connection = connection
    this.#onSlow = onSlow
    socket.on('close', () => this.#end())
  }

  /** Aborts when nothing can be sent any more. */
  get closed(): AbortSignal {
    return this.#closed.signal
  }

  close(code: number, reason: string, ms = CLOSE_MS): void {
    this.#end()
    this.#socket.close(code, reason)
    setTimeout(() => this.#socket.terminate(), ms).unref()
  }

  disconnectSlow(): void {
    if (this.closed.aborted) return
    this.#onSlow()
    this.close(CLOSE.slow, 'too slow: resume where you are', SLOW_CLOSE_MS)
  }

  /** @param data JSON */
  send(type: string, id: string, data: string): void {
    const { readyState, OPEN, bufferedAmount } = this.#socket
    if (readyState !== OPEN || this.closed.aborted) return
    if (bufferedAmount > MAX_UNSENT) return this.disconnectSlow()
    this.#hold()
    const text = `{"type":${JSON.stringify(type)},"id":${JSON.stringify(id)},"data":${data}}`
    if (bufferedAmount + text.length <= WAIT_BYTES) this.#socket.send(text)
    else this.#socket.send(text, () => this.#wake())
  }

  /** Whether a writer of a stream should wait for `drained`. */
  get isFull(): boolean {
    return this.#socket.bufferedAmount > WAIT_BYTES && !this.closed.aborted
  }

  /** Resolves when the reader has taken what was sent, or is disconnected. */
  async drained(): Promise<void> {
    while (this.isFull) {
      const { promise, resolve } = Promise.withResolvers<'taken' | 'stalled'>()
      this.#waiting.push(() => resolve('taken'))
      const timer = setTimeout(() => resolve('stalled'), STALL_MS)
      const outcome = await promise
      clearTimeout(timer)
      if (outcome === 'stalled' && this.isFull) this.disconnectSlow()
    }
  }

  /** What is sent before the running callback and its promises have ended goes out in one write: a write costs more than a frame. */
  #hold(): void {
    const connection = this.#connection
    if (this.#isHeld || !connection) return
    this.#isHeld = true
    connection.cork()
    process.nextTick(() => {
      this.#isHeld = false
      connection.uncork()
    })
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }

  #end(): void {
    if (!this.closed.aborted) this.#closed.abort(CLOSED)
    this.#wake()
  }
}
