// Whether an MCP server that is started on demand is needed, and its idle timeout.
import { raceSignal } from '../../contracts/signals.ts'

export class ServerDemand {
  readonly #idleMs: number
  #leases = 0
  #until = 0
  #changed = Promise.withResolvers<void>()

  /** @param idleMs how long it is kept after its last use, in milliseconds; Infinity: always */
  constructor(idleMs: number) {
    this.#idleMs = idleMs
  }

  /** Whether the server should run. */
  get isWanted(): boolean {
    return this.#idleMs === Infinity || this.isRequested
  }

  /** Whether a call needs it, or it was requested recently. */
  get isRequested(): boolean {
    return this.#leases > 0 || performance.now() < this.#until
  }

  /** Needed until the returned function is called, and for the idle time after that. */
  lease(): () => void {
    this.#leases += 1
    this.#change()
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      this.#leases -= 1
      this.request(this.#idleMs)
    }
  }

  /** Needed for `ms` milliseconds from now, or for the idle time when that is shorter. */
  request(ms: number): void {
    this.#until = Math.max(this.#until, performance.now() + Math.min(ms, this.#idleMs))
    this.#change()
  }

  /** @throws the signal's reason */
  async untilWanted(signal: AbortSignal): Promise<void> {
    while (!this.isWanted) await raceSignal(this.#changed.promise, signal)
  }

  /** @throws the signal's reason */
  async untilRequested(signal: AbortSignal): Promise<void> {
    while (!this.isRequested) await raceSignal(this.#changed.promise, signal)
  }

  /** @throws the signal's reason */
  async untilIdle(signal: AbortSignal): Promise<void> {
    while (this.isWanted) {
      const { promise } = this.#changed
      const isTimed = this.#leases === 0 && this.#idleMs !== Infinity
      const left = Math.max(1, Math.ceil(this.#until - performance.now()))
      const timer = isTimed ? setTimeout(() => this.#change(), left) : undefined
      await raceSignal(promise, signal).finally(() => clearTimeout(timer))
    }
  }

  #change(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}
