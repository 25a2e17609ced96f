// Idle and total timeout of a call to a server. Both are paused while a user is asked.
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

  /** Aborts with the timeout failure. */
  get signal(): AbortSignal {
    return this.#over.signal
  }

  /** Resets the idle timeout: the server has sent a message. */
  heard(): void {
    if (this.#pauses === 0) this.#silence?.refresh()
  }

  /** Pauses both timeouts during `work`. */
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
