// The connection under a socket: opened when there is something to ask, made again when it is lost, closed permanently by `close`.
import { delayOf, LONGEST_PAUSE_MS, SILENCE_MS, sleep } from './backoff.ts'
import { ConnectionLostError, type ErrorCode, errorOf, MuxiError } from './errors.ts'
import type { Http } from './http.ts'
import type { SocketLike } from './socket-like.ts'
import { dispose, SocketOpener } from './socket-opener.ts'
import { onReturn } from './wake.ts'

/** A frame of the server, with its length in characters. */
export interface ServerFrame {
  type: string
  id: string
  data: { event_id?: number; [field: string]: unknown }
  size: number
}

/** What the client asks for: it is sent on every connection again, until it is removed. */
export interface SocketRequest {
  /** Characters that are held until the request is done. */
  readonly size: number
  /** What is sent now. */
  frame(): { type: string; data: object }
  take(frame: ServerFrame): void
  /** There will be no answer. */
  fail(error: MuxiError): void
}

export interface SocketTiming {
  /** Silence that counts as a lost connection, in milliseconds. */
  silenceMs: number
  /** Silence after which the server is asked for a sign of life. */
  pingMs: number
  /** Connections in a row that bring nothing. */
  attempts: number
}

const TIMING: SocketTiming = { silenceMs: SILENCE_MS, pingMs: 15_000, attempts: 20 }
/** The server takes 200 requests at once on one socket, those included whose answers are no longer read here. */
const MAX_ACTIVE = 180
const MAX_REQUESTS = 2_000
/** Characters of all requests. */
const MAX_SIZE = 32 * 2 ** 20
/** Unsent bytes from which no further request is sent. */
const MAX_UNSENT = 2 ** 20
const POLL_MS = 20
/** How often a request is repeated that the server has no room for. */
const MAX_REFUSALS = 8
const RESTART_MS = 1_000

const CLOSE = { normal: 1000, tooLarge: 1009, restart: 1012, unauthorized: 4401, tooMany: 4429 }
const LOST = 1006

interface Known {
  request: SocketRequest
  /** `refused`: it is sent again after a while. */
  state: 'new' | 'sent' | 'refused'
  refusals: number
}

export class SocketConnection {
  readonly #opener: SocketOpener
  readonly #timing: SocketTiming
  readonly #known = new Map<string, Known>()
  readonly #closed = new AbortController()
  #socket: SocketLike | undefined
  #isOpen = false
  #running: Promise<void> | undefined
  #ids = 0
  #size = 0
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
    const id = String((this.#ids += 1))
    if (this.#closed.signal.aborted) queueMicrotask(() => request.fail(closedError()))
    else if (this.#known.size >= MAX_REQUESTS || this.#size + request.size > MAX_SIZE) {
      const message = 'Cannot send: too much waits already to be sent, or to be answered, on this socket'
      queueMicrotask(() => request.fail(errorOf({ code: 'rate_limited', message })))
    } else {
      this.#known.set(id, { request, state: 'new', refusals: 0 })
      this.#size += request.size
      // Not at once: a socket in memory may answer within `send`.
      queueMicrotask(() => this.#pump())
      this.#start()
    }
    return id
  }

  #start(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      // Added as it ended.
      if (this.#known.size > 0 && !this.#closed.signal.aborted) this.#start()
    })
  }

  /** Frames with its id are ignored from now on. */
  remove(id: string): void {
    const known = this.#known.get(id)
    if (!known) return
    this.#known.delete(id)
    this.#size -= known.request.size
    this.#pump()
  }

  /** Sends a frame if there is a connection. */
  tell(id: string, type: string, data: object): void {
    if (this.#isOpen) this.#socket?.send(JSON.stringify({ type, id, data }))
  }

  /** Ends the connection, and fails what has no answer yet. */
  async close(): Promise<void> {
    this.#closed.abort(closedError())
    this.#failAll(closedError())
    await this.#running
  }

  /** One connection after another, for as long as an answer is awaited. */
  async #run(): Promise<void> {
    const { signal } = this.#closed
    for (let attempt = 0; this.#known.size > 0 && !signal.aborted;) {
      const begun = Date.now()
      this.#hasProgress = false
      let code = LOST
      let cause: unknown
      try {
        code = await this.#connect(signal)
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof MuxiError) || !isPassing(error)) return this.#failAll(error)
        cause = error
      }
      if (code === CLOSE.tooLarge) this.#failLargest()
      if (code === CLOSE.unauthorized) this.#opener.usesTicket = true
      attempt = this.#hasProgress || Date.now() - begun > this.#timing.pingMs ? 0 : attempt + 1
      const isOffline = (globalThis.navigator as Navigator | undefined)?.onLine === false
      if (attempt > this.#timing.attempts && !isOffline)
        return this.#failAll(new ConnectionLostError(`The socket cannot be opened (close code ${code})`, { cause }))
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
      for (const known of this.#known.values()) if (known.state === 'sent') known.state = 'new'
      this.#pump()
    })
    socket.addEventListener('message', ({ data }) => {
      if (this.#socket === socket) this.#take(String(data))
    })
    const watch = setInterval(
      () => {
        const silence = Date.now() - this.#heardAt
        if (silence > silenceMs) this.#end(LOST)
        else if (silence > pingMs) this.tell('ping', 'ping', {})
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
    let active = 0
    for (const { state } of this.#known.values()) if (state === 'sent') active += 1
    for (const [id, known] of this.#known) {
      if (known.state !== 'new') continue
      if (active >= MAX_ACTIVE) return
      if (socket.bufferedAmount > MAX_UNSENT) {
        this.#poll = setTimeout(() => {
          this.#poll = undefined
          this.#pump()
        }, POLL_MS)
        return
      }
      known.state = 'sent'
      active += 1
      socket.send(JSON.stringify({ id, ...known.request.frame() }))
    }
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
    const known = this.#known.get(frame.id)
    if (!known) return
    if (frame.type === 'error' && frame.data.event_id === undefined) this.#refused(frame, known)
    else {
      this.#hasProgress = true
      known.refusals = 0
      known.request.take(frame)
    }
  }

  /** Asks again when another time may help, and otherwise fails the request. */
  #refused({ id, data }: ServerFrame, known: Known): void {
    const { code, message, details } = data as unknown as { code: ErrorCode; message: string; details?: object }
    const seconds = (details as { retry_after_s?: number } | undefined)?.retry_after_s
    const retryAfterMs = seconds === undefined ? undefined : seconds * 1_000
    known.refusals += 1
    const mayHelp = code === 'rate_limited' || code === 'unavailable' || code === 'internal_error'
    if (!mayHelp || known.refusals > MAX_REFUSALS || (retryAfterMs ?? 0) > LONGEST_PAUSE_MS) {
      this.remove(id)
      known.request.fail(errorOf({ code, message, ...(details && { details }) }, { retryAfterMs }))
      return
    }
    known.state = 'refused'
    const again = () => {
      known.state = 'new'
      this.#pump()
    }
    void sleep(delayOf(known.refusals - 1, retryAfterMs), this.#closed.signal).then(again, () => undefined)
  }

  /** The largest one was larger than the server takes. */
  #failLargest(): void {
    let largest: [id: string, request: SocketRequest] | undefined
    for (const [id, { request, state }] of this.#known)
      if (state !== 'new' && request.size > (largest?.[1].size ?? -1)) largest = [id, request]
    if (!largest) return
    this.remove(largest[0])
    largest[1].fail(
      errorOf({ code: 'payload_too_large', message: 'Cannot send the message: it is larger than the server takes' }),
    )
  }

  #failAll(error: unknown): void {
    const failure =
      error instanceof MuxiError ? error : new ConnectionLostError((error as Error).message, { cause: error })
    for (const [id, { request }] of this.#known) {
      this.remove(id)
      request.fail(failure)
    }
  }
}

/** Whether another ticket may be had soon. */
function isPassing({ status, retryAfterMs = 0 }: MuxiError): boolean {
  return (status === 0 || status === 429 || status >= 500) && retryAfterMs <= LONGEST_PAUSE_MS
}

function closedError(): MuxiError {
  return new ConnectionLostError('The socket was closed')
}
