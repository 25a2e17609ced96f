// News of a call's progress, told in order and no more often than anybody can look.
const PAUSE_MS = 250

export interface Progress {
  progress: number
  total?: number | undefined
  message?: string | undefined
}

/** Keeps the latest news while the one before is being told; what comes faster is left out. */
export class ProgressTeller {
  readonly #write: (news: Progress) => Promise<void>
  #latest: Progress | undefined
  #telling: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #isOver = false

  constructor(write: (news: Progress) => Promise<void>) {
    this.#write = write
  }

  tell(news: Progress): void {
    if (this.#isOver) return
    this.#latest = news
    if (!this.#timer) this.#next()
  }

  /** Tells what is left, and nothing more. */
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
    // News that cannot be told is no reason to fail a call.
    if (news) await this.#write(news).catch(() => undefined)
  }
}
