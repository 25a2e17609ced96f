// The text of a PDF page as lines, from the places of its pieces: for pages whose layout says more than their paragraphs.
import { isRightToLeft } from './right-to-left.ts'

/** A piece of text at its place, in points from the upper left corner of the page. */
export interface PdfItem {
  text: string
  x: number
  y: number
  width: number
  height: number
  /** Clockwise, in degrees; default: upright. */
  rotation?: number | undefined
}

export interface PdfLine {
  text: string
  items: PdfItem[]
}

/** Gaps between pieces, as shares of their height: a smaller one is within a word, a larger one between columns. */
const WITHIN_WORD = 0.12
const BETWEEN_COLUMNS = 1.2
/** Share of the lower of two heights that pieces of one line have in common. */
const SAME_LINE = 0.5
/** Deviation from a right angle, in degrees, of text that is read by its own. */
const DIAGONAL = 2

/** The lines of a page from top to bottom: first upright text, then text set sideways. */
export function linesOf(items: readonly PdfItem[]): PdfLine[] {
  const angles = new Map<number, PdfItem[]>()
  const diagonal: PdfLine[] = []
  for (const item of items) {
    const angle = rightAngleOf(item)
    if (angle === undefined) diagonal.push({ text: item.text, items: [item] })
    else angles.set(angle, [...(angles.get(angle) ?? []), item])
  }
  const turned = [0, 90, 180, 270].flatMap((angle) => linesAt(angles.get(angle) ?? [], angle))
  return [...turned, ...diagonal].filter(({ text }) => text.trim() !== '')
}

/** The rotation of text, as one of the right angles. @returns undefined for diagonal text */
export function rightAngleOf({ rotation = 0 }: PdfItem): number | undefined {
  const nearest = Math.round(rotation / 90) * 90
  return Math.abs(rotation - nearest) > DIAGONAL ? undefined : ((nearest % 360) + 360) % 360
}

/** An item with its box as a reader of its text sees it. */
interface Seen {
  item: PdfItem
  from: number
  to: number
  top: number
  bottom: number
}

function linesAt(items: PdfItem[], angle: number): PdfLine[] {
  const seen = items.map((item) => seenAt(item, angle)).toSorted((a, b) => a.top + a.bottom - b.top - b.bottom)
  const lines: Seen[][] = []
  for (const each of seen) {
    const line = lines.at(-1)
    if (line?.some((other) => isBeside(other, each))) line.push(each)
    else lines.push([each])
  }
  return lines.map((line) => {
    const sorted = line.toSorted((a, b) => a.from - b.from)
    const isReversed = isRightToLeft(sorted.map(({ item }) => item.text).join(' '))
    return { text: joined(isReversed ? sorted.toReversed() : sorted), items: sorted.map(({ item }) => item) }
  })
}

function seenAt(item: PdfItem, angle: number): Seen {
  const { x, y, width, height } = item
  switch (angle) {
    case 90:
      return { item, from: y, to: y + height, top: -x - width, bottom: -x }
    case 180:
      return { item, from: -x - width, to: -x, top: -y - height, bottom: -y }
    case 270:
      return { item, from: -y - height, to: -y, top: x, bottom: x + width }
    default:
      return { item, from: x, to: x + width, top: y, bottom: y + height }
  }
}

function isBeside(a: Seen, b: Seen): boolean {
  const common = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)
  return common > SAME_LINE * Math.min(a.bottom - a.top, b.bottom - b.top)
}

function joined(line: Seen[]): string {
  let text = ''
  for (const [index, { item, from, to, top, bottom }] of line.entries()) {
    const before = line[index - 1]
    const gap = before ? Math.max(from - before.to, before.from - to) / Math.max(1, bottom - top) : 0
    if (before) text += gap > BETWEEN_COLUMNS ? '   ' : gap > WITHIN_WORD || gap < -WITHIN_WORD ? ' ' : ''
    text += item.text.trim()
  }
  return text
}
