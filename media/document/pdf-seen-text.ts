// Text from right to left in a PDF: liteparse has its words in the order in which they are seen, pdf.js tells the place of
// each letter.
import { linesOf, type PdfItem } from './pdf-lines.ts'
import { baseLetters, hasRightToLeft, readingOrder } from './right-to-left.ts'

/** Gaps between letters, as shares of their height: a space, and the space between columns. */
const SPACE = 0.15
const BETWEEN_COLUMNS = 1.2

/**
 * Pieces of text in the order in which they are read.
 * @param seen all pieces of the page as pdf.js sees them
 */
export function inReadingOrder<T extends PdfItem>(items: readonly T[], seen: readonly PdfItem[]): T[] {
  return items.map((item) => {
    if (!hasRightToLeft(item.text)) return item
    const within = seen.filter((each) => isWithin(each, item)).toSorted((a, b) => a.x - b.x)
    const text = readingOrder(lineOf(within)).trim()
    // Places differ where fonts are damaged: nothing may be lost or added.
    return { ...item, text: baseLetters(sortedLetters(text) === sortedLetters(item.text) ? text : item.text) }
  })
}

/** The pieces of a page as pdf.js sees them, joined to lines within their columns, in the order in which they are read. */
export function joinedPieces(seen: readonly PdfItem[]): PdfItem[] {
  const isTurned = ({ rotation = 0 }: PdfItem) => Math.abs(rotation) > 1
  const lines = linesOf(seen.filter((item) => !isTurned(item))).flatMap(({ items }) => columnsOf(items))
  const joined = lines.map((items) => {
    const [first, last] = [items[0]!, items.at(-1)!]
    const text = baseLetters(readingOrder(lineOf(items))).trim()
    return { ...first, text, width: last.x + last.width - first.x }
  })
  return [...joined, ...seen.filter(isTurned)]
}

function columnsOf(items: PdfItem[]): PdfItem[][] {
  const columns: PdfItem[][] = []
  let end = Number.NEGATIVE_INFINITY
  for (const item of items.filter(({ text }) => text.trim() !== '' || text === ' ')) {
    if (item.x - end > item.height * BETWEEN_COLUMNS || columns.length === 0) columns.push([])
    columns.at(-1)!.push(item)
    // A space may be as wide as the gap between two columns.
    if (item.text.trim() !== '' || item.width < item.height) end = item.x + item.width
  }
  return columns
}

/** Whether the middle of a piece of text is in another one. */
export function isWithin(inner: PdfItem, outer: PdfItem): boolean {
  const [x, y] = [inner.x + inner.width / 2, inner.y + inner.height / 2]
  return x >= outer.x - 1 && x <= outer.x + outer.width + 1 && y >= outer.y - 2 && y <= outer.y + outer.height + 2
}

function lineOf(items: PdfItem[]): string {
  let line = ''
  let end = Number.POSITIVE_INFINITY
  for (const { text, x, width, height } of items) {
    const isApart = x - end > height * SPACE
    if (isApart && !line.endsWith(' ') && !text.startsWith(' ')) line += ' '
    line += text
    end = x + width
  }
  return line
}

function sortedLetters(text: string): string {
  return (text.normalize('NFKC').match(/[\p{L}\p{N}]/gu) ?? []).toSorted().join('')
}
