// Progress events of a call, written in order and throttled.
const PAUSE_MS = 250

export interface Progress {
  progress: number
  total?: number | undefined
  message?: string | undefined
}

/** Keeps the latest progress while the previous one is being written; intermediate ones are dropped. */
export class CallProgress {
  readonly #write: (news: Progress) => Promise<void>
  #latest: Progress | undefined
  #telling: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #isOver = false

  constructor(write: (news: Progress) => Promise<void>) {
    this.#write = write
  }

  report(news: Progress): void {
    if (this.#isOver) return
    this.#latest = news
    if (!this.#timer) this.#next()
  }

  /** Writes the pending progress, and no more after that. */
  async end(): Promise<void> {
    this.#isOver = true
    clearTimeout(this.#timer)
    await this.#telling
    await this.#writeLatest()
  }

  #next(): void {
    this.#telling = this.#writeLatest()
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (this.#latest) this.#next()
    }, PAUSE_MS)
  }

  async #writeLatest(): Promise<void> {
    const news = this.#latest
    this.#latest = undefined
    // A progress event that cannot be written does not fail the call.
    if (news) await this.#write(news).catch(() => undefined)
  }
}
