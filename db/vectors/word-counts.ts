// In how many chunks the words of a question stand. To count a common word is slow, so it is remembered for a while.

const REMEMBERED_MS = 60_000
const MOST_REMEMBERED = 10_000

export interface WordCount {
  /** As the full text is asked for it. */
  word: string
  chunks: number
}

/** Of one database. What is remembered may be a minute old; rare words, which decide what is found, are always counted. */
export class WordCounts {
  readonly #common: number
  readonly #remembered = new Map<string, { count: WordCount; until: number }>()

  /** @param common words in more chunks than this are remembered */
  constructor(common: number) {
    this.#common = common
  }

  /**
   * Those that stand in any chunk, the rarest first, of equally rare ones the longer.
   * @param within names the chunks that are counted
   * @param count counts words that are not remembered; without those that the full text does not keep
   */
  async count(
    within: string,
    words: readonly string[],
    count: (words: string[]) => Promise<(WordCount & { asked: string })[]>,
  ): Promise<WordCount[]> {
    const counts = new Map<string, WordCount>()
    const unknown: string[] = []
    for (const asked of words) {
      const known = this.#recall(`${within} ${asked}`)
      if (known) counts.set(known.word, known)
      else unknown.push(asked)
    }
    for (const { asked, word, chunks } of unknown.length > 0 ? await count(unknown) : []) {
      if (chunks > this.#common) this.#remember(`${within} ${asked}`, { word, chunks })
      if (chunks > 0) counts.set(word, { word, chunks })
    }
    return [...counts.values()].toSorted((a, b) => a.chunks - b.chunks || b.word.length - a.word.length)
  }

  #recall(key: string): WordCount | undefined {
    const found = this.#remembered.get(key)
    if (found && found.until > Date.now()) return found.count
    this.#remembered.delete(key)
    return undefined
  }

  #remember(key: string, count: WordCount): void {
    if (this.#remembered.size >= MOST_REMEMBERED) this.#remembered.clear()
    this.#remembered.set(key, { count, until: Date.now() + REMEMBERED_MS })
  }
}
