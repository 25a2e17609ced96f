// A turn that is followed: its events, the message they make, and its text.
import { SILENCE_MS, SLOWEST_UPLOAD } from '../backoff.ts'
import { errorOf } from '../errors.ts'
import type { StreamEvent } from '../streams/event-stream.ts'
import type { Timing } from '../streams/follow.ts'
import { unlessEnded } from '../streams/final-events.ts'
import { Followed } from '../streams/followed.ts'
import { type Http, newKey } from '../http.ts'
import { type AnyTurnEvent, applyEvent, emptyMessage, type Message } from './message.ts'
import type { ChatRequest, TurnRecord } from '../types.ts'

/** An event of a turn. As a string it is the text that it adds: `process.stdout.write(`${event}`)` prints a reply. */
export type TurnEvent = AnyTurnEvent & {
  /** From 1, without gaps. */
  id: number
  /** The text that it adds to what was shown. Text that a reset has withdrawn is not added twice. */
  text: string
  toString(): string
}

export interface TurnOptions {
  /** Stops reading. The turn goes on: `cancel()` ends it. */
  signal?: AbortSignal | undefined
  /** The same key and body give the same turn; one is made when it is left out. */
  idempotencyKey?: string | undefined
  /** For the answer that begins the stream. */
  timeoutMs?: number | undefined
  maxRetries?: number | undefined
  headers?: Record<string, string> | undefined
  timing?: Partial<Timing> | undefined
}

export interface ResumeOptions extends Pick<TurnOptions, 'signal' | 'timing' | 'headers'> {
  /** The last event that is known already: iterating goes on after it. */
  after?: number | undefined
}

/** Where the events of a turn come from, over whichever connection. */
export interface TurnSource {
  /**
   * The events after a number, up to the final one, or until the server says that none comes any more.
   * @param turnId undefined until the turn is accepted: then the message is sent, again under the same key
   */
  events(
    turnId: () => string | undefined,
    after: number,
    signal: AbortSignal,
  ): AsyncGenerator<StreamEvent, void, undefined>
  record(turnId: string, signal: AbortSignal): Promise<TurnRecord>
  cancel(turnId: string): Promise<unknown>
}

/** @param type of an event of a turn */
export function isFinalEvent(type: string): boolean {
  return type === 'message_end' || type === 'cancelled' || type === 'error'
}

class Event {
  readonly id: number
  readonly type: string
  readonly data: unknown
  readonly text: string

  constructor({ id = 0, type, data }: StreamEvent, text: string) {
    this.id = id
    this.type = type
    this.data = data
    this.text = text
  }

  toString(): string {
    return this.text
  }
}

/** Iterating gives every event from the beginning, once, in order; after an `error` event it throws that error. */
export class Turn implements AsyncIterable<TurnEvent> {
  readonly #source: TurnSource
  readonly #signal: AbortSignal | undefined
  readonly #followed: Followed<TurnEvent>
  readonly #accepted: Promise<unknown>
  readonly #after: number
  #message: Message

  /** Sends a message at once. @param path such as `/agents/tea/chat/stream` */
  static start(http: Http, path: string, body: ChatRequest | Promise<ChatRequest>, options: TurnOptions = {}): Turn {
    const { idempotencyKey = newKey(), timing, signal: _, timeoutMs, ...call } = options
    const first = Promise.resolve(body).then(
      (json) => (signal: AbortSignal) =>
        http.send('POST', path, {
          ...call,
          timeoutMs: timeoutMs ?? (timing?.silenceMs ?? SILENCE_MS) + sizeOf(json) / SLOWEST_UPLOAD,
          json,
          accept: 'text/event-stream',
          idempotencyKey,
          signal,
        }),
    )
    // Readers get it; an abort may come before any of them.
    first.catch(() => undefined)
    return new Turn(httpSource(http, options, first), options)
  }

  /** Follows a turn of which the id is known. Nothing is sent until it is read. */
  static resume(http: Http, turnId: string, options: ResumeOptions = {}): Turn {
    return new Turn(httpSource(http, options), options, turnId)
  }

  constructor(source: TurnSource, { signal, after = 0 }: ResumeOptions = {}, turnId?: string) {
    this.#source = source
    this.#signal = signal
    this.#after = after
    this.#message = emptyMessage(turnId)
    this.#followed = new Followed<TurnEvent>({
      open: (from, stop) => this.#open(from, stop),
      view: eventsWithText,
      take: (event) => {
        this.#message = applyEvent(this.#message, event as AnyTurnEvent)
      },
      isFinal: isFinalEvent,
      ended: (last) => {
        if (last?.type === 'error') throw errorOf(last.data)
      },
      signal,
    })
    // Counts as a reader until the turn is accepted: who leaves before has a turn all the same.
    this.#accepted = turnId === undefined ? this.#followed.readUntil(() => this.id !== undefined) : Promise.resolve()
    this.#accepted.catch(() => undefined)
  }

  /** Known as soon as the server has accepted the message. */
  get id(): string | undefined {
    return this.#message.turn_id || undefined
  }

  /** What has been read so far. It grows while a reader reads. */
  get message(): Message {
    return this.#message
  }

  /** The number of the last event that has been read. */
  get lastEventId(): number {
    return this.#followed.last
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<TurnEvent> {
    return this.#followed.events(this.#after, this.#accepted)
  }

  /** The message in all its states, beginning with that of now. A slow reader gets the latest one. */
  messages(): AsyncIterableIterator<Message> {
    let shown: Message | undefined
    return this.#followed.iterate(async () => {
      if (shown === this.#message) await this.#accepted
      while (shown === this.#message) if (!(await this.#followed.advance())) return undefined
      return (shown = this.#message)
    })
  }

  /** The message at its end, also when the turn has failed or was cancelled. */
  async done(): Promise<Message> {
    await this.#followed.readUntil(() => false, this.#accepted)
    return this.#message
  }

  /** The whole text. Of a cancelled turn, what it had said. @throws MuxiError when the turn fails */
  async text(): Promise<string> {
    const { error, text } = await this.done()
    if (error) throw errorOf(error)
    return text
  }

  /** Ends the turn, also after the signal was aborted. @returns the message with what was said */
  async cancel(): Promise<Message> {
    // Sent again, a message that was not accepted before the abort gives the same turn.
    const turn = this.#signal?.aborted ? new Turn(this.#source, {}, this.id) : this
    await turn.#accepted
    await this.#source.cancel(turn.id!).catch(unlessEnded)
    return (this.#message = await turn.done())
  }

  async *#open(after: number, signal: AbortSignal): AsyncGenerator<StreamEvent, void, undefined> {
    let last = after
    for await (const event of this.#source.events(() => this.id, after, signal)) {
      yield event
      if (isFinalEvent(event.type)) return
      last = event.id ?? last
    }
    const record = await this.#source.record(this.id!, signal)
    yield* (await import('./ended-turn.ts')).endOf(record, last)
  }
}

/** For one reader: events with the text that each adds to what was shown to it. */
function eventsWithText(): (event: StreamEvent) => TurnEvent {
  let message = emptyMessage()
  /** The text of the events so far, put one after another. */
  let shown = ''
  return (event) => {
    const before = message.text
    message = applyEvent(message, event as AnyTurnEvent)
    const { text } = message
    let added = ''
    // Comparing the whole text with each piece would cost ever more.
    const isNext = event.type === 'content' && before === shown
    if (isNext || !shown.startsWith(text)) {
      if (isNext) added = (event.data as { content: string }).content
      else added = text.startsWith(shown) ? text.slice(shown.length) : `\n${text}`
      shown = text
    }
    return new Event(event, added) as TurnEvent
  }
}

/** Of the bytes of what is attached, about. */
function sizeOf({ attachments = [] }: ChatRequest): number {
  return attachments.reduce((sum, attachment) => sum + ('data' in attachment ? attachment.data.length : 0), 0)
}

function httpSource(
  http: Http,
  { timing, headers }: ResumeOptions,
  begun?: Promise<(signal: AbortSignal) => Promise<Response>>,
): TurnSource {
  return {
    events: async function* (turnId, after, signal) {
      // A message that cannot be sent is not tried again.
      const first = await begun
      const { follow } = await import('../streams/follow.ts')
      yield* follow({
        http,
        path: () => (turnId() === undefined ? undefined : `/turns/${turnId()}/stream`),
        ...(first && { first }),
        after,
        signal,
        isFinal: isFinalEvent,
        timing,
        headers,
        position: () => ({ turnId: turnId() }),
      })
    },
    record: (turnId, signal) => http.json<TurnRecord>('GET', `/turns/${turnId}`, { signal, headers }),
    cancel: (turnId) => http.json('POST', `/turns/${turnId}/cancel`, { idempotencyKey: newKey(), headers }),
  }
}
