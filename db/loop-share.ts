// Tells when statements of SQLite have kept the thread for so long that the event loop should do other work.

/** In milliseconds. */
const SHARE_MS = 10

export class LoopShare {
  /** When the first statement of this iteration of the event loop began. */
  #began: number | undefined

  /** Counts from the first call in an iteration; what runs between statements counts too. */
  isUsed(): boolean {
    if (this.#began !== undefined) return performance.now() - this.#began > SHARE_MS
    this.#began = performance.now()
    setImmediate(() => (this.#began = undefined)).unref()
    return false
  }
}
