// Bounds the concurrent starts of MCP servers that only list their tools; starts that a call waits for take no slot.
import { raceSignal } from '../../contracts/signals.ts'
import type { ServerDemand } from './server-demand.ts'

export class StartSlots {
  #free: number
  /** In order of arrival. */
  readonly #waiting = new Set<() => void>()

  constructor(count: number) {
    this.#free = count
  }

  /**
   * Waits for a slot, or until `skip` resolves.
   * @returns releases the slot
   * @throws the signal's reason
   */
  async take(skip: Promise<void>, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    if (this.#free > 0) {
      this.#free -= 1
      return this.#once()
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.add(resolve)
    try {
      await raceSignal(Promise.race([promise, skip]), signal)
    } catch (error) {
      if (!this.#waiting.delete(resolve)) this.#give()
      throw error
    }
    return this.#waiting.delete(resolve) ? () => {} : this.#once()
  }

  /** Takes a slot for a start that no call waits for; none is needed once the server is requested. */
  async takeUnlessRequested(demand: ServerDemand, signal: AbortSignal): Promise<() => void> {
    if (demand.isRequested) return () => {}
    const over = new AbortController()
    const requested = demand.untilRequested(AbortSignal.any([signal, over.signal]))
    requested.catch(() => undefined)
    try {
      return await this.take(requested, signal)
    } finally {
      over.abort()
    }
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
