// The connection under a socket: opened when there is something to ask, made again when it is lost, closed permanently by `close`.
import { delayOf, LONGEST_PAUSE_MS, SILENCE_MS, sleep } from '../backoff.ts'
import { ConnectionLostError, errorOf, MuxiError } from '../errors.ts'
import type { Http } from '../http.ts'
import type { SocketLike } from './socket-like.ts'
import { dispose, SocketOpener } from './socket-opener.ts'
import { type ServerFrame, type SocketRequest, SocketRequests } from './socket-requests.ts'
import { onReturn } from '../wake.ts'

export interface SocketTiming {
  /** Silence that counts as a lost connection, in milliseconds. */
  silenceMs: number
  /** Silence after which the server is asked for a sign of life. */
  pingMs: number
  /** Connections in a row that bring nothing. */
  attempts: number
}

const TIMING: SocketTiming = { silenceMs: SILENCE_MS, pingMs: 15_000, attempts: 20 }
/** Unsent bytes from which no further request is sent. */
const MAX_UNSENT = 2 ** 20
const POLL_MS = 20
const RESTART_MS = 1_000

const CLOSE = { normal: 1000, tooLarge: 1009, restart: 1012, unauthorized: 4401, tooMany: 4429 }
const LOST = 1006

export class SocketConnection {
  readonly #opener: SocketOpener
  readonly #timing: SocketTiming
  readonly #requests = new SocketRequests()
  readonly #closed = new AbortController()
  #socket: SocketLike | undefined
  #isOpen = false
  #running: Promise<void> | undefined
  #poll: ReturnType<typeof setTimeout> | undefined
  #heardAt = 0
  #hasProgress = false
  #end: (code: number) => void = () => undefined

  constructor(http: Http, timing?: Partial<SocketTiming>) {
    this.#opener = new SocketOpener(http)
    this.#timing = { ...TIMING, ...timing }
  }

  /** Sends a request as soon as there is a connection with room for it. @returns its id */
  add(request: SocketRequest): string {
    if (this.#closed.signal.aborted) return refused(request, closedError())
    const id = this.#requests.add(request)
    if (id === undefined) {
      const message = 'Cannot send: too much waits already to be sent, or to be answered, on this socket'
      return refused(request, errorOf({ code: 'rate_limited', message }))
    }
    // Not at once: a socket in memory may answer within `send`.
    queueMicrotask(() => this.#pump())
    this.#start()
    return id
  }

  #start(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      // Added as it ended.
      if (!this.#requests.isEmpty && !this.#closed.signal.aborted) this.#start()
    })
  }

  /** Frames with its id are ignored from now on. */
  remove(id: string): void {
    if (this.#requests.remove(id)) this.#pump()
  }

  /** Sends a frame if there is a connection. */
  tell(id: string, type: string, data: object): void {
    if (this.#isOpen) this.#socket?.send(JSON.stringify({ type, id, data }))
  }

  /** Ends the connection, and fails what has no answer yet. */
  async close(): Promise<void> {
    this.#closed.abort(closedError())
    this.#requests.failAll(closedError())
    await this.#running
  }

  /** One connection after another, for as long as an answer is awaited. */
  async #run(): Promise<void> {
    const { signal } = this.#closed
    for (let attempt = 0; !this.#requests.isEmpty && !signal.aborted;) {
      const begun = Date.now()
      this.#hasProgress = false
      let code = LOST
      let cause: unknown
      try {
        code = await this.#connect(signal)
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof MuxiError) || !isPassing(error)) return this.#requests.failAll(error)
        cause = error
      }
      if (code === CLOSE.tooLarge) this.#requests.failLargest()
      if (code === CLOSE.unauthorized) this.#opener.usesTicket = true
      attempt = this.#hasProgress || Date.now() - begun > this.#timing.pingMs ? 0 : attempt + 1
      const isOffline = (globalThis.navigator as Navigator | undefined)?.onLine === false
      if (attempt > this.#timing.attempts && !isOffline)
        return this.#requests.failAll(
          new ConnectionLostError(`The socket cannot be opened (close code ${code})`, { cause }),
        )
      await this.#pause(this.#delayOf(code, attempt, cause))
    }
  }

  #delayOf(code: number, attempt: number, cause: unknown): number {
    if (code === CLOSE.tooMany) return LONGEST_PAUSE_MS
    // All clients of a server that restarts come back, but not at the same moment.
    if (code === CLOSE.restart && attempt <= 1) return Math.random() * RESTART_MS
    const isFirst = attempt === 0 || (code === CLOSE.unauthorized && attempt === 1)
    return isFirst ? 0 : delayOf(attempt - 1, (cause as MuxiError | undefined)?.retryAfterMs)
  }

  /** Waits, but no longer than until the network or the page returns. */
  async #pause(ms: number): Promise<void> {
    if (ms <= 0) return
    const returned = new AbortController()
    const unwatch = onReturn(() => returned.abort())
    await sleep(ms, AbortSignal.any([this.#closed.signal, returned.signal]))
      .catch(() => undefined)
      .finally(unwatch)
  }

  /** @returns the code with which the connection has ended */
  async #connect(signal: AbortSignal): Promise<number> {
    // Listened to at once: one in memory may open before anything that is awaited.
    const socket = this.#opener.construct() ?? this.#opener.construct(await this.#opener.ticket(signal))!
    const { silenceMs, pingMs } = this.#timing
    this.#socket = socket
    this.#heardAt = Date.now()
    const ended = new Promise<number>((resolve) => {
      this.#end = resolve
    })
    const gone = new Promise<number>((resolve) => {
      socket.addEventListener('close', ({ code }) => resolve(code))
    })
    socket.addEventListener('error', () => undefined)
    socket.addEventListener('open', () => {
      if (this.#socket !== socket) return
      this.#heardAt = Date.now()
      this.#isOpen = true
      this.#requests.sendAgain()
      this.#pump()
    })
    socket.addEventListener('message', ({ data }) => {
      if (this.#socket === socket) this.#take(String(data))
    })
    let askedAt = 0
    const watch = setInterval(
      () => {
        const now = Date.now()
        if (now - this.#heardAt > silenceMs) this.#end(LOST)
        if (now - Math.max(this.#heardAt, askedAt) <= pingMs) return
        askedAt = now
        this.tell('ping', 'ping', {})
      },
      Math.min(1_000, pingMs / 2),
    )
    const unwatch = onReturn((isNew) => {
      if (isNew || Date.now() - this.#heardAt > pingMs) this.#end(LOST)
    })
    const closed = () => this.#end(CLOSE.normal)
    signal.addEventListener('abort', closed)
    if (signal.aborted) closed()
    try {
      return await Promise.race([ended, gone])
    } finally {
      clearInterval(watch)
      clearTimeout(this.#poll)
      this.#poll = undefined
      unwatch()
      signal.removeEventListener('abort', closed)
      this.#isOpen = false
      this.#socket = undefined
      await dispose(socket, gone, signal.aborted)
    }
  }

  /** Sends what waits, as far as there is room. */
  #pump(): void {
    const socket = this.#socket
    if (!socket || !this.#isOpen || this.#poll !== undefined) return
    const unsent = this.#requests.unsent()
    while (socket.bufferedAmount <= MAX_UNSENT) {
      const { value: frame, done } = unsent.next()
      if (done) return
      socket.send(JSON.stringify(frame))
    }
    this.#poll = setTimeout(() => {
      this.#poll = undefined
      this.#pump()
    }, POLL_MS)
  }

  #take(text: string): void {
    this.#heardAt = Date.now()
    let frame: ServerFrame
    try {
      frame = { ...(JSON.parse(text) as Omit<ServerFrame, 'size'>), size: text.length }
    } catch {
      // Not from the server.
      return this.#end(LOST)
    }
    if (frame.type !== 'error' || frame.data.event_id !== undefined) {
      if (this.#requests.take(frame)) this.#hasProgress = true
      return
    }
    const again = this.#requests.refuse(frame)
    if (!again) return this.#pump()
    const send = () => {
      again.retry()
      this.#pump()
    }
    void sleep(again.ms, this.#closed.signal).then(send, () => undefined)
  }
}

/** @returns the id of no request */
function refused(request: SocketRequest, error: MuxiError): string {
  queueMicrotask(() => request.fail(error))
  return ''
}

/** Whether another ticket may be had soon. */
function isPassing({ status, retryAfterMs = 0 }: MuxiError): boolean {
  return (status === 0 || status === 429 || status >= 500) && retryAfterMs <= LONGEST_PAUSE_MS
}

function closedError(): MuxiError {
  return new ConnectionLostError('The socket was closed')
}
