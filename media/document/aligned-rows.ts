// Tables without lines: rows below each other whose cells stand in columns. For text of which only the places are known.
import { around, type Box } from './pdf-grids.ts'
import { linesOf, type PdfItem } from './pdf-lines.ts'
import { isRightToLeft } from './right-to-left.ts'
import { boxOf, endOf, isRunningText } from './running-text.ts'

export interface AlignedTable<T extends PdfItem> {
  rows: string[][]
  items: T[]
}

/** Narrowest gap between cells, in heights of their line; widest between rows. */
const BETWEEN_CELLS = 1.5
const BETWEEN_ROWS = 2.5
/** Fewest rows with two cells or more. */
const FEWEST_ROWS = 3

interface Cell<T> extends Box {
  items: T[]
}

/** @param items words or pieces of text, upright; none stands in two cells */
export function alignedTables<T extends PdfItem>(items: readonly T[]): AlignedTable<T>[] {
  const lines = linesOf(items).map((line) => cellsOf(line.items as T[]))
  const tables: AlignedTable<T>[] = []
  for (let from = 0; from < lines.length;) {
    let to = from
    while (to < lines.length && lines[to]!.length > 1 && (to === from || isNext(lines[to - 1]!, lines[to]!))) to += 1
    const rows = lines.slice(from, to)
    const table = rows.length >= FEWEST_ROWS ? tableOf(rows) : undefined
    if (table) tables.push(table)
    from = Math.max(to, from + 1)
  }
  return tables
}

/** The words of a line in cells: between two stands a wide gap. */
function cellsOf<T extends PdfItem>(line: readonly T[]): Cell<T>[] {
  const cells: T[][] = []
  for (const item of line) {
    const before = cells.at(-1)?.at(-1)
    if (before && item.x - endOf(before) <= item.height * BETWEEN_CELLS) cells.at(-1)!.push(item)
    else cells.push([item])
  }
  return cells.map((cell) => ({ ...around(cell.map(boxOf)), items: cell }))
}

function isNext(above: readonly Box[], below: readonly Box[]): boolean {
  const [a, b] = [around(above), around(below)]
  return b.top - a.bottom <= (b.bottom - b.top) * BETWEEN_ROWS
}

/** @returns undefined where the cells of a row do not stand in columns of their own, or are running text */
function tableOf<T extends PdfItem>(rows: readonly Cell<T>[][]): AlignedTable<T> | undefined {
  const columns: Box[] = []
  for (const cell of rows.flat().toSorted((a, b) => a.left - b.left)) {
    const last = columns.at(-1)
    if (last && cell.left < last.right) columns[columns.length - 1] = around([last, cell])
    else columns.push(cell)
  }
  const columnOf = (cell: Box) => columns.findIndex(({ right }) => cell.left < right)
  const isAligned = rows.every((row) => new Set(row.map(columnOf)).size === row.length)
  if (columns.length < 2 || !isAligned) return undefined
  const running = columns.filter((_, column) => {
    const own = rows.flatMap((row) => row.filter((cell) => columnOf(cell) === column))
    return isRunningText(linesOf(own.flatMap(({ items }) => items)))
  })
  if (running.length > 1) return undefined
  const text = rows.map((row) => {
    const cells = columns.map(() => '')
    for (const cell of row)
      cells[columnOf(cell)] = linesOf(cell.items)
        .map((line) => line.text)
        .join(' ')
        .replaceAll(/\s+/g, ' ')
    return cells
  })
  const isReversed = isRightToLeft(text.flat().join(' '))
  return {
    rows: isReversed ? text.map((row) => row.toReversed()) : text,
    items: rows.flat().flatMap(({ items }) => items),
  }
}
