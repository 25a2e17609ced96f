// Lines that end before their column does (addresses, labels, code): liteparse joins them to paragraphs.
import type { PdfItem } from './pdf-lines.ts'

/** Pieces that begin so close to each other, in points, stand in one column. */
const SAME_EDGE = 3
/** A line that ends before this share of its column does not go on in the next one. */
const SHORT = 0.85

/** The Markdown of a page in which such a line ends with a line end. @param items of the page, in the order of reading */
export function withLineBreaks(markdown: string, items: readonly PdfItem[]): string {
  let done = ''
  let rest = markdown
  for (const [index, item] of items.slice(0, -1).entries()) {
    const next = items[index + 1]!
    const [line, following] = [item.text.trim(), next.text.trim()]
    const at = isShort(item, next, items) ? placeBetween(rest, line, following) : undefined
    if (at === undefined) continue
    done += `${rest.slice(0, at)}\n`
    rest = rest.slice(at + 1)
  }
  return done + rest
}

/** The place of the space between two lines of a paragraph. */
function placeBetween(markdown: string, line: string, next: string): number | undefined {
  const found = markdown.indexOf(`${line} ${next}`)
  if (found < 0) return undefined
  const from = markdown.lastIndexOf('\n', found) + 1
  // Cells, headings, items of lists and code keep their lines.
  const isParagraph = !/^\s*(?:[|#>`]|[-*+•] |\d{1,3}[.)] | {4})/.test(markdown.slice(from, from + 12))
  return isParagraph ? found + line.length : undefined
}

/** Whether the first word of the next line had room in this one. */
function isShort(item: PdfItem, next: PdfItem, items: readonly PdfItem[]): boolean {
  if (item.rotation || next.rotation || next.y < item.y + item.height / 2) return false
  if (Math.abs(item.x - next.x) > SAME_EDGE) return false
  const column = items.filter(({ x, rotation }) => !rotation && Math.abs(x - item.x) <= SAME_EDGE)
  const full = Math.max(...column.map(({ width }) => width))
  const [word = ''] = next.text.trim().split(/\s/)
  const room = ((word.length + 1) / Math.max(1, next.text.trim().length)) * next.width
  if (item.width + room < full * SHORT) return true
  // No other line is as long: it was not broken to fit in.
  return !/^\p{Ll}/u.test(word) && column.length > 2 && column.filter(({ width }) => width >= full * SHORT).length === 1
}
