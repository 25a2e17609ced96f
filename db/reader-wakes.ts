// Wakes the readers of event streams, a few in each iteration of the event loop: what a woken reader does runs before other
// work.

/** Readers that are woken in one iteration. */
const AT_ONCE = 50

export class ReaderWakes {
  /** In the order in which they are to be woken; each once. */
  readonly #due = new Set<() => void>()
  #woken = 0
  #isWaiting = false

  /** Wakes the first ones now, unless others have been woken in this iteration. */
  wake(readers: Iterable<() => void>): void {
    for (const reader of readers) this.#due.add(reader)
    this.#wakeSome()
  }

  /** Of a reader that has left. */
  forget(reader: () => void): void {
    this.#due.delete(reader)
  }

  #wakeSome(): void {
    for (const reader of this.#due) {
      if (this.#woken >= AT_ONCE) break
      this.#due.delete(reader)
      this.#woken += 1
      reader()
    }
    if (this.#woken === 0 || this.#isWaiting) return
    this.#isWaiting = true
    setImmediate(() => {
      this.#isWaiting = false
      this.#woken = 0
      this.#wakeSome()
    })
  }
}
