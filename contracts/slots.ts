// Bounds how much is done at once: what is over the limit waits its turn, in order of arrival.
import { raceSignal } from './signals.ts'

export class Slots {
  #free: number
  /** In order of arrival. */
  readonly #waiting = new Set<() => void>()

  constructor(count: number) {
    this.#free = count
  }

  /**
   * Waits for a slot, or until `skip` resolves: then none is taken.
   * @returns releases the slot
   * @throws the signal's reason
   */
  async take(signal: AbortSignal, skip?: Promise<void>): Promise<() => void> {
    signal.throwIfAborted()
    if (this.#free > 0) {
      this.#free -= 1
      return this.#once()
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.add(resolve)
    try {
      await raceSignal(skip ? Promise.race([promise, skip]) : promise, signal)
    } catch (error) {
      if (!this.#waiting.delete(resolve)) this.#give()
      throw error
    }
    return this.#waiting.delete(resolve) ? () => {} : this.#once()
  }

  #once(): () => void {
    let isGiven = false
    return () => {
      if (!isGiven) this.#give()
      isGiven = true
    }
  }

  #give(): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free += 1
      return
    }
    this.#waiting.delete(next)
    next()
  }
}
