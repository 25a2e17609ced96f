// A client of an event stream that keeps every byte, can be cut at any moment, and knows how to go on.
import { createParser } from 'eventsource-parser'
import { isFinal } from '../../contracts/events.ts'
import { apiCheck, failLater } from './api-check.ts'
import { News } from './news.ts'

export interface SeenEvent {
  id: number
  type: string
  // oxlint-disable-next-line typescript/no-explicit-any -- what a test looks at is up to the test
  data: any
  /** When it was seen, in milliseconds. */
  at: number
}

type RawEvent = { event: string; data: unknown }

export class SseClient {
  readonly events: SeenEvent[] = []
  readonly response: Response
  /** Resolves when the server has ended the stream or the connection broke. */
  readonly ended: Promise<'ended' | 'cut'>
  readonly #abort: AbortController
  readonly #check: (event: RawEvent) => void
  readonly #news = new News()
  #raw = ''

  private constructor(response: Response, abort: AbortController, check: (event: RawEvent) => void) {
    this.response = response
    this.#check = check
    this.#abort = abort
    this.ended = this.#read()
  }

  /** @throws when the answer is no event stream */
  static async open(url: string, init: RequestInit): Promise<SseClient> {
    const abort = new AbortController()
    const response = await fetch(url, { ...init, signal: abort.signal })
    if (response.status !== 200 || !response.headers.get('content-type')?.startsWith('text/event-stream')) {
      throw new Error(`no event stream: ${response.status} ${await response.text()}`)
    }
    const check = await apiCheck(url)
    return new SseClient(response, abort, (event) => check?.event(init.method ?? 'GET', url, event))
  }

  /** The bytes of all whole frames, as text, without pings. */
  get raw(): string {
    return this.#raw.slice(0, this.#raw.lastIndexOf('\n\n') + 2).replaceAll(': ping\n\n', '')
  }

  get lastId(): number {
    return this.events.at(-1)?.id ?? 0
  }

  get final(): SeenEvent | undefined {
    const last = this.events.at(-1)
    return last && isFinal(last.type) ? last : undefined
  }

  /** Resolves with the first event, seen already or yet to come, that fits; rejects after `ms` or at the stream's end. */
  waitFor(fits: string | ((event: SeenEvent) => boolean), ms = 60_000): Promise<SeenEvent> {
    const matches = typeof fits === 'string' ? (event: SeenEvent) => event.type === fits : fits
    return this.#news.first(
      () => this.events.find(matches),
      ms,
      () => `the event; there were ${this.#summary()}`,
    )
  }

  /** The text of the reply so far, without what was withdrawn. */
  get text(): string {
    const { events } = this
    const from = events.findLastIndex(({ type }) => type === 'content_reset')
    return events
      .slice(Math.max(from, 0))
      .filter(({ type }) => type === 'content' || type === 'content_reset')
      .map(({ data }) => data.content as string)
      .join('')
  }

  /** Resolves when the text of the reply so far has a part. */
  async shows(part: string, ms = 60_000): Promise<void> {
    await this.#news.first(
      () => this.text.includes(part) || undefined,
      ms,
      () => `'${part}' in the text; there were ${this.#summary()}`,
    )
  }

  /** Resolves with the final event. */
  untilFinal(ms = 100_000): Promise<SeenEvent> {
    return this.waitFor((event) => isFinal(event.type), ms)
  }

  /** Goes away, as a closed browser tab does. */
  cut(): void {
    this.#abort.abort()
  }

  async #read(): Promise<'ended' | 'cut'> {
    const parser = createParser({
      onEvent: ({ id, event, data }) => {
        const seen = { id: Number(id), type: event ?? '', data: JSON.parse(data), at: Date.now() }
        this.events.push(seen)
        try {
          this.#check({ event: seen.type, data: seen.data as unknown })
        } catch (error) {
          failLater(error)
        }
      },
    })
    const decoder = new TextDecoder()
    try {
      for await (const chunk of this.response.body as unknown as AsyncIterable<Uint8Array>) {
        const text = decoder.decode(chunk, { stream: true })
        this.#raw += text
        parser.feed(text)
        this.#news.more()
      }
      return 'ended'
    } catch {
      return 'cut'
    } finally {
      this.#news.end('The stream ended')
    }
  }

  #summary(): string {
    return JSON.stringify(this.events.map(({ id, type, data }) => [id, type, type === 'error' ? data : undefined]))
  }
}
