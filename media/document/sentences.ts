// Splits text into sentences.

const segmenter = new Intl.Segmenter(undefined, { granularity: 'sentence' })
// Abbreviations: a full stop after these does not end a sentence, nor after an initial ("J. Smith") or an item number
// ("3.").
const NO_END =
  /(?:^|[\s([{"'])(?:(?:Dr|Mr|Mrs|Ms|Prof|St|Jr|Sr|No|Nr|Nos|Fig|Figs|Abb|Tab|Sec|Ch|Eq|Vol|vs|cf|ca|al|approx|resp|bzw|usw|vgl|Hr|Fr|pp?|Inc|Ltd|Co|e\.g|i\.e|\p{L})\.|\d{1,3}[.)])\s*$/u

/** Longest text without a sentence end, in characters: then abbreviations end sentences too. */
const LONGEST_MERGED = 1_000

/** The sentences of one paragraph, in order and trimmed, without loss. Linear in its length. */
export function sentencesOf(paragraph: string): string[] {
  const sentences: string[] = []
  let open: string[] = []
  let length = 0
  const end = () => {
    const sentence = open.join('').trim()
    if (sentence !== '') sentences.push(sentence)
    open = []
    length = 0
  }
  for (const { segment } of segmenter.segment(paragraph)) {
    open.push(segment)
    length += segment.length
    if (length > LONGEST_MERGED || !NO_END.test(segment.slice(-16))) end()
  }
  end()
  return sentences
}

/** Cuts text longer than `most` characters at the last space within, or anywhere if there is none. */
export function cutLong(text: string, most: number): string[] {
  if (text.length <= most) return text.trim() === '' ? [] : [text]
  const parts: string[] = []
  let start = 0
  while (text.length - start > most) {
    const window = text.slice(start, start + most)
    const space = window.lastIndexOf(' ')
    const cut = space > most / 2 ? space : /[\uD800-\uDBFF]$/.test(window) ? most - 1 : most
    parts.push(window.slice(0, cut).trim())
    start += cut
  }
  parts.push(text.slice(start).trim())
  return parts.filter((part) => part !== '')
}
