// How much of an expected text a result holds: words, numbers, and cells that stand beside each other.

export interface Score {
  /** Part of the expected words that were found, each as often as it is expected. */
  recall: number
  /** Part of the found words that are expected. */
  precision: number
  /** Recall of the words with digits; undefined without any. */
  numbers?: number
  /** Recall of pairs of neighbouring table cells, in a row or a column; undefined without tables. */
  neighbours?: number
}

export function scoreOf(found: string, expected: string): Score {
  const [foundWords, expectedWords] = [wordsOf(found), wordsOf(expected)]
  const common = shared(foundWords, expectedWords)
  const expectedNumbers = expectedWords.filter(hasDigit)
  const expectedPairs = neighboursOf(expected)
  return {
    recall: ratio(common, expectedWords.length),
    precision: ratio(common, foundWords.length),
    ...(expectedNumbers.length > 0 && {
      numbers: ratio(shared(foundWords.filter(hasDigit), expectedNumbers), expectedNumbers.length),
    }),
    ...(expectedPairs.length > 0 && {
      neighbours: ratio(shared(neighboursOf(found), expectedPairs), expectedPairs.length),
    }),
  }
}

/** Words of letters and digits; Markdown, HTML tags and links are not text. */
export function wordsOf(text: string): string[] {
  const plain = text
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll(/<[^<>]{0,200}>/g, ' ')
    .replaceAll(/\]\([^()\s]*\)/g, '] ')
    .replaceAll('\\', '')
  return plain.match(/[\p{L}\p{N}\p{M}]+/gu) ?? []
}

function hasDigit(word: string): boolean {
  return /\p{N}/u.test(word)
}

/** Pairs of neighbouring cells that are not empty, of all Markdown tables. */
function neighboursOf(markdown: string): string[] {
  const pairs: string[] = []
  let above: string[] = []
  for (const line of markdown.split('\n')) {
    const cells = cellsOf(line)
    if (cells === undefined) above = []
    if (cells === undefined || cells.every((cell) => /^[-:\s]*$/.test(cell))) continue
    const words = cells.map((cell) => wordsOf(cell).join(' '))
    for (const [column, cell] of words.entries()) {
      for (const [where, other] of [
        ['beside', words[column + 1]],
        ['below', above[column]],
      ] as const)
        if (cell !== '' && other !== undefined && other !== '') pairs.push(`${where}: ${cell} | ${other}`)
    }
    above = words
  }
  return pairs
}

function cellsOf(line: string): string[] | undefined {
  const row = /^\s*\|(.*)\|\s*$/.exec(line)
  return row?.[1]!.split(/(?<!\\)\|/)
}

/** The number of elements that both lists have, each as often as both have it. */
function shared(found: readonly string[], expected: readonly string[]): number {
  const left = new Map<string, number>()
  for (const each of expected) left.set(each, (left.get(each) ?? 0) + 1)
  let common = 0
  for (const each of found) {
    const count = left.get(each) ?? 0
    if (count === 0) continue
    left.set(each, count - 1)
    common += 1
  }
  return common
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 1 : part / whole
}
