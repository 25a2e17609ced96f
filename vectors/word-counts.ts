// Document frequencies of a query's words. Counting a common word is slow, so it is cached for a while.

const REMEMBERED_MS = 60_000
const MOST_REMEMBERED = 10_000

export interface WordCount {
  /** The word as a full-text query. */
  word: string
  chunks: number
}

/** A word of a query, and the space in which its chunks are counted. */
export interface Uncounted {
  space: string
  asked: string
}

/** The cache of one database. Entries may be a minute old; rare words, which decide the matches, are always counted. */
export class WordCounts {
  readonly #common: number
  readonly #remembered = new Map<string, { count: WordCount; until: number }>()

  /** @param common words in more chunks of a space than this are cached */
  constructor(common: number) {
    this.#common = common
  }

  /**
   * The words that occur in the spaces, rarest first, then longest first.
   * @param count counts the uncached words, except those that the full-text index drops
   */
  async count(
    spaces: readonly string[],
    words: readonly string[],
    count: (uncounted: Uncounted[]) => Promise<(Uncounted & WordCount)[]>,
  ): Promise<WordCount[]> {
    // By space and word: several words of a query may have the same stem.
    const found = new Map<string, WordCount>()
    const uncounted: Uncounted[] = []
    for (const space of spaces) {
      for (const asked of new Set(words)) {
        const known = this.#recall(keyOf(space, asked))
        if (known) found.set(keyOf(space, known.word), known)
        else uncounted.push({ space, asked })
      }
    }
    for (const { space, asked, word, chunks } of uncounted.length > 0 ? await count(uncounted) : []) {
      if (chunks > this.#common) this.#remember(keyOf(space, asked), { word, chunks })
      found.set(keyOf(space, word), { word, chunks })
    }
    const chunksOf = new Map<string, number>()
    for (const { word, chunks } of found.values())
      if (chunks > 0) chunksOf.set(word, (chunksOf.get(word) ?? 0) + chunks)
    const counts = Array.from(chunksOf, ([word, chunks]) => ({ word, chunks }))
    return counts.toSorted((a, b) => a.chunks - b.chunks || b.word.length - a.word.length)
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

const keyOf = (space: string, word: string) => `${space} ${word}`
