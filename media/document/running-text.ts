// Running text, distinguished from rows of a table by the places of its pieces.
import { around, type Box } from './pdf-grids.ts'
import type { PdfItem, PdfLine } from './pdf-lines.ts'

/** Length of a line of running text and a gap within a row of a table, in heights of it; least and greatest share of lines with them. */
const LONG_LINE = 12
const WIDE_GAP = 2
const MOSTLY_LONG = 0.5
const SOME_PARTED = 0.3
/** Least share of the width of a column that its lines fill. */
const FULL = 0.5

/** Whether lines are text that runs on, and not rows of a table. */
export function isRunningText(lines: readonly PdfLine[], full = FULL): boolean {
  const wide = lines.filter(({ items }) => around(items.map(boxOf)).right - items[0]!.x >= items[0]!.height * LONG_LINE)
  const parted = lines.filter(({ items }) => {
    return items.some(({ x, height }, index) => index > 0 && x - endOf(items[index - 1]!) > height * WIDE_GAP)
  })
  return (
    wide.length >= lines.length * MOSTLY_LONG && parted.length <= lines.length * SOME_PARTED && fillOf(lines) >= full
  )
}

export function endOf({ x, width }: PdfItem): number {
  return x + width
}

/** Share of their common width that the text of lines takes. */
function fillOf(lines: readonly PdfLine[]): number {
  const { left, right } = around(lines.flatMap(({ items }) => items.map(boxOf)))
  const heightOf = ({ items }: PdfLine) => Math.max(...items.map(({ height }) => height))
  const area = lines.reduce(
    (sum, line) => sum + heightOf(line) * line.items.reduce((all, { width }) => all + width, 0),
    0,
  )
  return area / (right - left) / lines.reduce((sum, line) => sum + heightOf(line), 0)
}

export function boxOf({ x, y, width, height }: { x: number; y: number; width: number; height: number }): Box {
  return { left: x, top: y, right: x + width, bottom: y + height }
}
