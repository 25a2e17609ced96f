// The text of one model call on its way into the event log.
import type { EventLog } from './event-log.ts'
import type { Addition, Writer } from './event-rows.ts'

/** Uncommitted text of a writer at which `write` applies backpressure, in characters. */
export const MAX_BUFFERED_TEXT = 65_536

/** A refusal is text by which the model refuses. */
export type TextKind = 'text' | 'refusal'

/** Writes the text of one model call: text of one kind that arrives within a batch interval becomes one `content` event. */
export class TextWriter {
  readonly #log: EventLog
  readonly #stream: string
  readonly #writer: Writer
  readonly #step: number
  readonly #refused = new AbortController()
  #buffer: { content: string; kind: TextKind }[] = []
  #length = 0
  #committed: Promise<unknown> | undefined
  #first = true

  constructor(log: EventLog, stream: string, writer: Writer, step: number) {
    this.#log = log
    this.#stream = stream
    this.#writer = writer
    this.#step = step
  }

  /** Aborts, with the RefusedError or the database's error as reason, when a write fails. */
  get failed(): AbortSignal {
    return this.#refused.signal
  }

  /** Adds text; resolves at once unless too much text is uncommitted. */
  async write(text: string, kind: TextKind = 'text'): Promise<void> {
    const last = this.#buffer.at(-1)
    if (last?.kind === kind) last.content += text
    else this.#buffer.push({ content: text, kind })
    this.#length += text.length
    if (!this.#committed) this.#start()
    if (this.#length > MAX_BUFFERED_TEXT) await this.#committed
  }

  /** Resolves when everything written is committed. @throws RefusedError */
  async flush(): Promise<void> {
    while (this.#committed || this.#length > 0) {
      if (!this.#committed) this.#start()
      await this.#committed
    }
    this.#refused.signal.throwIfAborted()
  }

  #start(): void {
    const soon = this.#first
    this.#first = false
    this.#committed = this.#log
      .enqueue(this.#stream, this.#writer, () => this.#take(), soon)
      .catch((error: unknown) => this.#refused.abort(error))
      .finally(() => {
        this.#committed = undefined
        if (this.#length > 0 && !this.#refused.signal.aborted) this.#start()
      })
  }

  #take(): Addition[] {
    const taken = this.#buffer
    this.#buffer = []
    this.#length = 0
    return taken.map(({ content, kind }) => ({
      event: { type: 'content', data: { content, step: this.#step, ...(kind === 'refusal' && { refusal: true }) } },
    }))
  }
}
