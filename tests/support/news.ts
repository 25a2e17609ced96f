// Something that is told bit by bit, and those who wait for a part of it.

export class News {
  readonly #waiting = new Set<() => void>()
  #over: string | undefined

  /** Something has been told. */
  more(): void {
    for (const look of this.#waiting) look()
  }

  /** Nothing more will be told. @param why in words, such as "the stream ended" */
  end(why: string): void {
    this.#over ??= why
    this.more()
  }

  /**
   * Resolves with what `find` finds, in what has been told already or when more is told.
   * @throws when `ms` passed or nothing more will be told, with what there was in `seen`'s words
   */
  first<T>(find: () => T | null | undefined, ms: number, seen: () => string): Promise<T> {
    return new Promise((resolve, reject) => {
      const finish = (act: () => void) => {
        clearTimeout(timer)
        this.#waiting.delete(look)
        act()
      }
      const fail = (why: string) => finish(() => reject(new Error(`${why} without ${seen()}`)))
      const look = () => {
        const found = find()
        if (found) finish(() => resolve(found))
        else if (this.#over !== undefined) fail(this.#over)
      }
      const timer = setTimeout(() => fail(`${ms} ms passed`), ms)
      this.#waiting.add(look)
      look()
    })
  }
}
