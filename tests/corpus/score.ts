// How much of an expected text a result holds: words, numbers, and cells that stand beside each other.

export interface Score {
  /** Part of the expected words that were found, each as often as it is expected. */
  recall: number
  /** Part of the found words that are expected. */
  precision: number
  /** Harmonic mean of recall and precision. */
  f1: number
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
    f1: ratio(2 * common, expectedWords.length + foundWords.length),
    ...(expectedNumbers.length > 0 && {
      numbers: ratio(shared(foundWords.filter(hasDigit), expectedNumbers), expectedNumbers.length),
    }),
    ...(expectedPairs.length > 0 && {
      neighbours: ratio(shared(neighboursOf(found), expectedPairs), expectedPairs.length),
    }),
  }
}

/**
 * Words of letters and digits. What tools and truths write differently is no text: HTML tags, comments and character references,
 * addresses of links, pictures with what they say they show, escapes and emphasis within words, words divided at the end of a line.
 */
export function wordsOf(text: string): string[] {
  const plain = text
    .replaceAll(/<!--[^]*?-->/g, ' ')
    .replaceAll(/!\[[^\]]*\]\((?:[^()]|\([^()]*\))*\)/g, ' ')
    .replaceAll(/<\/?[a-z][a-z0-9-]*(?:\s[^<>]*)?\/?>/gi, ' ')
    .replaceAll(/\]\((?:[^()\s]|\([^()\s]*\))*(?:\s+"[^"]*")?\)/g, '] ')
    .replaceAll(/&(amp|lt|gt|quot|nbsp|#\d+|#x[\da-f]+);/gi, (_all, name: string) => characterOf(name.toLowerCase()))
    .replaceAll(/\\([^\p{L}\p{N}\s])/gu, '$1')
    .replaceAll(/(?<=[\p{L}\p{N}])[*~`]+(?=[\p{L}\p{N}])/gu, '')
    .replaceAll(/(\p{L})[-\u00ad]\n\s*(?=\p{Ll})/gu, '$1')
    .replaceAll('\u00ad', '')
    .normalize('NFKC')
    .toLowerCase()
  return plain.match(/[\p{L}\p{N}\p{M}]+/gu) ?? []
}

function characterOf(name: string): string {
  const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', nbsp: ' ' }
  const code = name.startsWith('#x') ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1))
  return named[name] ?? (code > 0 && code <= 0x10_ff_ff ? String.fromCodePoint(code) : ' ')
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
