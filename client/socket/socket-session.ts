// What a socket does, loaded when it is first used: the part of it that a page without sockets does not need.
import { sleep } from '../backoff.ts'
import { requestOf } from '../turns/chat-request.ts'
import type { StreamEvent } from '../streams/event-stream.ts'
import { type Http, newKey } from '../http.ts'
import { ask, changesOf } from './socket-answers.ts'
import { SocketConnection, type SocketTiming } from './socket-connection.ts'
import { socketEvents } from './socket-events.ts'
import type { SocketChange, SocketMessageOptions, Topic } from './socket-types.ts'

/** How long closing waits until the server has accepted what was sent. */
const SETTLE_MS = 10_000

export type Subject = { turn_id: string } | { job_id: string }

/** A message on its way. */
export interface Outgoing {
  /** The data of its frame, as JSON. */
  json: Promise<string>
  /** Closing waits until this is called. */
  answered: () => void
}

export class SocketSession {
  readonly #http: Http
  readonly #connection: SocketConnection
  readonly #unanswered = new Set<Promise<void>>()

  constructor(http: Http, timing?: Partial<SocketTiming>) {
    this.#http = http
    this.#connection = new SocketConnection(http, timing)
  }

  /** Reads or uploads what is attached. */
  prepare(text: string, options: SocketMessageOptions): Outgoing {
    const { agentName: agent_id, idempotencyKey: idempotency_key = newKey() } = options
    const json = requestOf(this.#http, text, options).then((request) =>
      JSON.stringify({ ...request, agent_id, idempotency_key }),
    )
    json.catch(() => undefined)
    return { json, answered: this.#awaitAnswer() }
  }

  /** The events of a turn or job, from the sending of its message when it is not known yet. */
  async *events(
    of: Subject | Outgoing,
    after: number,
    signal: AbortSignal,
    isFinal: (type: string) => boolean,
  ): AsyncGenerator<StreamEvent, void, undefined> {
    const outgoing = 'json' in of ? of : undefined
    try {
      const [message, subject] = 'json' in of ? [await of.json, undefined] : [undefined, of]
      for await (const event of socketEvents(this.#connection, { message, of: subject, after, signal, isFinal })) {
        outgoing?.answered()
        yield event
      }
    } finally {
      outgoing?.answered()
    }
  }

  changes(topics: readonly Topic[], signal?: AbortSignal): AsyncGenerator<SocketChange, void, undefined> {
    return changesOf(this.#connection, topics, signal)
  }

  /** Resolves when the server has answered. */
  async ask(type: string, data: object): Promise<void> {
    const answered = this.#awaitAnswer()
    await ask(this.#connection, type, data).finally(answered)
  }

  async close(): Promise<void> {
    const timer = new AbortController()
    const late = sleep(SETTLE_MS, timer.signal).catch(() => undefined)
    await Promise.race([Promise.all(this.#unanswered), late])
    timer.abort()
    await this.#connection.close()
  }

  #awaitAnswer(): () => void {
    let answered = () => {}
    const promise = new Promise<void>((resolve) => {
      answered = resolve
    })
    this.#unanswered.add(promise)
    return () => {
      answered()
      this.#unanswered.delete(promise)
    }
  }
}
