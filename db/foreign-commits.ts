// Tells when another process has committed to the same SQLite file, by a short poll that costs microseconds.

/** How often the file is looked at, in milliseconds. */
const POLL_MS = 15

export class ForeignCommits {
  readonly #version: () => number
  readonly #listeners = new Set<() => void>()
  #seen: number
  #timer: NodeJS.Timeout | undefined

  constructor(version: () => number) {
    this.#version = version
    this.#seen = version()
  }

  /** Calls back after foreign commits until the returned function is called. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener)
    this.#timer ??= setInterval(() => this.#look(), POLL_MS)
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size > 0) return
      clearInterval(this.#timer)
      this.#timer = undefined
    }
  }

  #look(): void {
    const version = this.#version()
    if (version === this.#seen) return
    this.#seen = version
    for (const listener of this.#listeners) listener()
  }
}
