// How long a call waits for its server: for a word from it, and altogether. The time in which people are asked does not count.
import { McpFailure } from './failure.ts'

export class Patience {
  readonly #over = new AbortController()
  readonly #silenceMs: number
  #left: number
  #since = performance.now()
  #silence: NodeJS.Timeout | undefined
  #total: NodeJS.Timeout | undefined
  #pauses = 0

  constructor(silenceMs: number, totalMs: number) {
    this.#silenceMs = silenceMs
    this.#left = totalMs
    this.#start()
  }

  /** Aborts with the failure when it is lost. */
  get signal(): AbortSignal {
    return this.#over.signal
  }

  /** The server has said something. */
  heard(): void {
    if (this.#pauses === 0) this.#silence?.refresh()
  }

  /** Does something that is no fault of the server's. */
  async pause<T>(work: () => Promise<T>): Promise<T> {
    if (this.#pauses === 0) this.end()
    this.#pauses += 1
    try {
      return await work()
    } finally {
      this.#pauses -= 1
      if (this.#pauses === 0) this.#start()
    }
  }

  end(): void {
    clearTimeout(this.#silence)
    clearTimeout(this.#total)
    this.#left -= performance.now() - this.#since
  }

  #start(): void {
    this.#since = performance.now()
    const lose = () => this.#over.abort(new McpFailure('timeout', 'it did not answer in time'))
    this.#silence = setTimeout(lose, this.#silenceMs)
    this.#total = setTimeout(lose, Math.max(0, this.#left))
  }
}
