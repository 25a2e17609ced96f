// Ruled tables of a PDF page as rows of cells, from the places of its words.
import { type Box, type Grid, gridsOf, type Line } from './pdf-grids.ts'
import { linesOf, type PdfItem, rightAngleOf } from './pdf-lines.ts'
import { isRightToLeft } from './right-to-left.ts'

export interface PdfTable extends Box {
  /** What stands in its first rows over its whole width. */
  title: string
  rows: string[][]
  /** What of the page stands in it. */
  items: Set<PdfItem>
}

/** Longest text that is repeated in the cells that a merged one covers, in characters. */
const LONGEST_REPEATED = 200
/** Fewest cells with text, and the share of the text in one of them from which on few cells are no table but a box. */
const FEWEST_FILLED = 4
const FEW_FILLED = 8
const MOST_IN_ONE = 0.7
/** Least number of cells as a share of the places in rows and columns: diagrams and forms have boxes of many sizes. */
const REGULAR = 0.5

/** The ruled tables of a page. @param words pieces of text none of which stands in two cells */
export function tablesOf(lines: readonly Line[], words: readonly PdfItem[]): PdfTable[] {
  const straight = words.filter((word) => rightAngleOf(word) !== undefined)
  return gridsOf(lines).flatMap((grid) => tableOf(grid, straight) ?? [])
}

/** @returns undefined for what is ruled but no table: boxes, diagrams, frames */
function tableOf(grid: Grid, words: readonly PdfItem[]): PdfTable | undefined {
  const within = words.filter((word) => isIn(word, grid))
  const cells = grid.cells.flatMap((cell) => {
    const items = within.filter((word) => isIn(word, cell))
    return items.length === 0 ? [] : [{ cell, items, text: textOf(items) }]
  })
  const all = cells.reduce((sum, { text }) => sum + text.length, 0)
  const longest = Math.max(...cells.map(({ text }) => text.length))
  if (cells.length < FEWEST_FILLED || (cells.length < FEW_FILLED && longest > all * MOST_IN_ONE)) return undefined
  const columns = edgesOf(grid.cells.flatMap(({ left, right }) => [left, right]))
  const lines = edgesOf(grid.cells.flatMap(({ top, bottom }) => [top, bottom]))
  if (grid.cells.length < (columns.length - 1) * (lines.length - 1) * REGULAR) return undefined
  const rows = lines.slice(1).flatMap((bottom, row) => {
    const top = lines[row]!
    const here = cells.filter(({ cell }) => cell.top < bottom && cell.bottom > top)
    const isWhole = here.every(({ cell }) => cell.top === top && cell.bottom === bottom)
    return (isWhole && rowsWithin(here, columns)) || [rowOf(here, columns, top)]
  })
  const first = rows.findIndex((row) => row.filter((text) => text !== '').length > 1)
  const title = rows
    .slice(0, Math.max(0, first))
    .flat()
    .filter((text) => text !== '')
  const filled = withoutEmpty(rows.slice(Math.max(0, first)))
  const isTable = filled.length > 1 && filled.filter((row) => row.filter((text) => text !== '').length > 1).length > 1
  if (!isTable) return undefined
  const isReversed = isRightToLeft(filled.flat().join(' '))
  return {
    left: grid.left,
    top: grid.top,
    right: grid.right,
    bottom: grid.bottom,
    title: title.join('\n\n'),
    rows: isReversed ? filled.map((row) => row.toReversed()) : filled,
    items: new Set(cells.flatMap(({ items }) => items)),
  }
}

interface Cell {
  cell: Box
  items: PdfItem[]
  text: string
}

/** A merged cell has its text in every place, unless it is long or spans the whole width. */
function rowOf(cells: readonly Cell[], columns: readonly number[], top: number): string[] {
  const row = columns.slice(1).map(() => '')
  for (const { cell, text } of cells) {
    const [from, to] = [columns.indexOf(cell.left), columns.indexOf(cell.right)]
    const isRepeated = text.length <= LONGEST_REPEATED && to - from < columns.length - 1
    if (isRepeated) row.fill(text, from, to)
    else if (cell.top === top) row[from] = text
  }
  return row
}

/** The rows between two lines of a table that has lines between some of its rows only. @returns undefined for one row */
function rowsWithin(cells: readonly Cell[], columns: readonly number[]): string[][] | undefined {
  const lines = linesOf(cells.flatMap(({ items }) => items))
  const inCells = cells.map(({ items }) => linesOf(items))
  const areNumbers = inCells.filter((each) => each.every(({ text }) => /^\P{L}*\d\P{L}*$/u.test(text)))
  const isAligned = inCells.every((each) => each.length === lines.length)
  if (cells.length < 3 || lines.length < 2 || !isAligned || areNumbers.length * 2 < cells.length) return undefined
  return lines.map(({ items }) => {
    const own = new Set(items)
    const parts = cells.map((cell) => ({ ...cell, text: textOf(cell.items.filter((item) => own.has(item))) }))
    return rowOf(parts, columns, cells[0]!.cell.top)
  })
}

/** A table in Markdown; its first row is its header. */
export function markdownOf({ rows }: Pick<PdfTable, 'rows'>): string {
  const lines = rows.map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
  return [lines[0], `|${'---|'.repeat(rows[0]!.length)}`, ...lines.slice(1)].join('\n')
}

export function isIn({ x, y, width, height }: PdfItem, { left, top, right, bottom }: Box): boolean {
  const [across, down] = [x + width / 2, y + height / 2]
  return across >= left && across <= right && down >= top && down <= bottom
}

function textOf(items: readonly PdfItem[]): string {
  return linesOf(items)
    .map(({ text }) => text)
    .join(' ')
    .replaceAll(/\s+/g, ' ')
    .trim()
}

function edgesOf(places: number[]): number[] {
  return [...new Set(places)].toSorted((a, b) => a - b)
}

function withoutEmpty(rows: string[][]): string[][] {
  const isFilled = (column: number) => rows.some((row) => row[column] !== '')
  return rows.filter((row) => row.some((text) => text !== '')).map((row) => row.filter((_, column) => isFilled(column)))
}
