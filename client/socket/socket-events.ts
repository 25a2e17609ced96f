// The events of a turn or a job over a socket, each once and in order, over as many connections as it takes.
import type { StreamEvent } from '../streams/event-stream.ts'
import { ConnectionLostError, EventGapError, type MuxiError } from '../errors.ts'
import type { SocketConnection } from './socket-connection.ts'
import type { ServerFrame, SocketRequest } from './socket-requests.ts'

/** What is kept for a slow reader, in characters: then the rest is asked for again when it has caught up. */
const MAX_KEPT = 2 * 2 ** 20

const EVENT_NAME: Record<string, string> = {
  chat_start: 'message_start',
  chat_content: 'content',
  chat_end: 'message_end',
}

export interface SocketEventsOptions {
  /** The data of the `chat` frame, as JSON; sent again under the same key until it is accepted. */
  message?: string | undefined
  /** What is followed, once it is known. */
  of: { turn_id: string } | { job_id: string } | undefined
  after: number
  signal: AbortSignal
  isFinal: (type: string) => boolean
}

/** Follows a turn or job to its final event. @throws MuxiError, the reason of the signal */
export async function* socketEvents(
  connection: SocketConnection,
  options: SocketEventsOptions,
): AsyncGenerator<StreamEvent, void, undefined> {
  const { signal, isFinal } = options
  const following = new Following(connection, options)
  const abort = () => following.stop()
  signal.addEventListener('abort', abort)
  try {
    for (;;) {
      signal.throwIfAborted()
      for (const event of await following.next()) {
        yield event
        if (isFinal(event.type)) return
      }
    }
  } finally {
    signal.removeEventListener('abort', abort)
    following.stop()
  }
}

class Following implements SocketRequest {
  readonly #connection: SocketConnection
  readonly #isFinal: (type: string) => boolean
  readonly #message: string | undefined
  #of: SocketEventsOptions['of']
  /** Of the last event that has arrived. */
  #last: number
  #isNext = true
  #kept: StreamEvent[] = []
  #keptSize = 0
  #failure: MuxiError | undefined
  /** Undefined while nothing is asked for. */
  #id: string | undefined
  #isStopped = false
  #wake: () => void = () => undefined

  constructor(connection: SocketConnection, { message, of, after, isFinal }: SocketEventsOptions) {
    this.#connection = connection
    this.#message = message
    this.#of = of
    this.#last = after
    this.#isFinal = isFinal
  }

  get size(): number {
    return this.#message?.length ?? 0
  }

  frame(): { type: string; data: object } {
    this.#isNext = true
    if (this.#of) return { type: 'resume', data: { ...this.#of, after: this.#last } }
    return { type: 'chat', data: JSON.parse(this.#message!) as object }
  }

  take({ type, data: { event_id, ...data }, size }: ServerFrame): void {
    if (event_id === undefined) return
    const name = EVENT_NAME[type] ?? type
    if (name !== type) delete data['message_id']
    // After a loss of its log, the server begins again below with the whole text.
    const isRewound = this.#isNext && name === 'content_reset'
    this.#isNext = false
    // The end of a job is repeated under the number of the last event.
    if (event_id <= this.#last && !isRewound && !this.#isFinal(name)) return
    if (event_id > this.#last + 1) return this.fail(new EventGapError(this.#last, event_id))
    this.#last = event_id
    if (name === 'accepted') this.#of = { turn_id: data['turn_id'] as string }
    this.#kept.push({ id: event_id, type: name, data, size })
    this.#keptSize += size
    if (this.#keptSize > MAX_KEPT) this.#leave()
    this.#wake()
  }

  fail(error: MuxiError): void {
    this.#failure = error instanceof ConnectionLostError ? this.#located(error) : error
    this.#leave()
    this.#wake()
  }

  stop(): void {
    this.#isStopped = true
    this.#kept = []
    this.#leave()
    this.#wake()
  }

  /** What has arrived; waits for more when there is nothing. Empty after `stop`. */
  async next(): Promise<StreamEvent[]> {
    while (this.#kept.length === 0 && !this.#isStopped) {
      if (this.#failure) throw this.#failure
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        this.#id ??= this.#connection.add(this)
      })
    }
    const kept = this.#kept
    this.#kept = []
    this.#keptSize = 0
    return kept
  }

  /** The error with what it takes to go on. */
  #located(cause: ConnectionLostError): MuxiError {
    const { turn_id: turnId, job_id: jobId }: { turn_id?: string; job_id?: string } = this.#of ?? {}
    return new ConnectionLostError(cause.message, { turnId, jobId, lastEventId: this.#last, cause })
  }

  #leave(): void {
    if (this.#id !== undefined) this.#connection.remove(this.#id)
    this.#id = undefined
  }
}
