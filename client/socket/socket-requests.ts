// What is asked for on a socket and has no answer yet: bounded, and sent again on every connection.
import { delayOf, LONGEST_PAUSE_MS } from '../backoff.ts'
import { ConnectionLostError, type ErrorCode, errorOf, MuxiError } from '../errors.ts'

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

/** The server takes 200 requests at once on one socket, those included whose answers are no longer read here. */
const MAX_ACTIVE = 180
const MAX_REQUESTS = 2_000
/** Characters of all requests. */
const MAX_SIZE = 32 * 2 ** 20
/** How often a request is repeated that the server has no room for. */
const MAX_REFUSALS = 8

interface Waiting {
  request: SocketRequest
  /** `refused`: it is sent again after a while. */
  state: 'new' | 'sent' | 'refused'
  refusals: number
}

export class SocketRequests {
  readonly #waiting = new Map<string, Waiting>()
  #ids = 0
  #size = 0

  get isEmpty(): boolean {
    return this.#waiting.size === 0
  }

  /** @returns its id; undefined when there is no room for it */
  add(request: SocketRequest): string | undefined {
    if (this.#waiting.size >= MAX_REQUESTS || this.#size + request.size > MAX_SIZE) return undefined
    const id = String((this.#ids += 1))
    this.#waiting.set(id, { request, state: 'new', refusals: 0 })
    this.#size += request.size
    return id
  }

  remove(id: string): boolean {
    const { request } = this.#waiting.get(id) ?? {}
    if (!request) return false
    this.#size -= request.size
    return this.#waiting.delete(id)
  }

  /** On a new connection: the server of the former one has forgotten all of them. */
  sendAgain(): void {
    for (const each of this.#waiting.values()) if (each.state === 'sent') each.state = 'new'
  }

  /** Those that may be sent now; each counts as sent when it is given. */
  *unsent(): Generator<{ id: string; type: string; data: object }> {
    let active = 0
    for (const { state } of this.#waiting.values()) if (state === 'sent') active += 1
    for (const [id, each] of this.#waiting) {
      if (each.state !== 'new') continue
      if (active >= MAX_ACTIVE) return
      // Before it is sent: a socket in memory may answer within `send`.
      each.state = 'sent'
      active += 1
      yield { id, ...each.request.frame() }
    }
  }

  /** Gives an answer to its request. @returns whether there is one */
  take(frame: ServerFrame): boolean {
    const each = this.#waiting.get(frame.id)
    if (!each) return false
    each.refusals = 0
    each.request.take(frame)
    return true
  }

  /**
   * Fails a request that was refused, unless another time may help.
   * @returns after how many milliseconds, with what makes it ready to be sent
   */
  refuse({ id, data }: ServerFrame): { ms: number; retry: () => void } | undefined {
    const each = this.#waiting.get(id)
    if (!each) return undefined
    const { code, message, details } = data as unknown as { code: ErrorCode; message: string; details?: object }
    const seconds = (details as { retry_after_s?: number } | undefined)?.retry_after_s
    const retryAfterMs = seconds === undefined ? undefined : seconds * 1_000
    each.refusals += 1
    const mayHelp = code === 'rate_limited' || code === 'unavailable' || code === 'internal_error'
    if (!mayHelp || each.refusals > MAX_REFUSALS || (retryAfterMs ?? 0) > LONGEST_PAUSE_MS) {
      this.#fail(id, errorOf({ code, message, ...(details && { details }) }, { retryAfterMs }))
      return undefined
    }
    each.state = 'refused'
    const retry = () => {
      each.state = 'new'
    }
    return { ms: delayOf(each.refusals - 1, retryAfterMs), retry }
  }

  /** The largest one was larger than the server takes. */
  failLargest(): void {
    let largest: [id: string, size: number] | undefined
    for (const [id, { request, state }] of this.#waiting)
      if (state !== 'new' && request.size > (largest?.[1] ?? -1)) largest = [id, request.size]
    if (!largest) return
    const message = 'Cannot send the message: it is larger than the server takes'
    this.#fail(largest[0], errorOf({ code: 'payload_too_large', message }))
  }

  failAll(error: unknown): void {
    const failure =
      error instanceof MuxiError ? error : new ConnectionLostError((error as Error).message, { cause: error })
    for (const id of this.#waiting.keys()) this.#fail(id, failure)
  }

  #fail(id: string, error: MuxiError): void {
    const { request } = this.#waiting.get(id)!
    this.remove(id)
    request.fail(error)
  }
}
