// Finds the tables of a sheet or a delimited text: lines of text, the header of each table, and its rows.
import { hasContrast, isContinuedHeader, looksLikeHeader } from './table-header.ts'

type Row = readonly string[]

/** What a spreadsheet tells about its rows, by their index. */
export interface Hints {
  /** Rows that are marked as headers: the first of a table or of a filter, or frozen. */
  headers: ReadonlySet<number>
  /** Rows with a cell that is merged with others: as a header it includes the next row. */
  continued: ReadonlySet<number>
  /** Rows whose text is bold. */
  bold: ReadonlySet<number>
}

export type LayoutBlock = { lines: string[] } | { header: Row; rows: Row[] }

/** Rows between two empty ones. */
interface Group {
  from: number
  to: number
}

const NO_HINTS: Hints = { headers: new Set(), continued: new Set(), bold: new Set() }
const MAX_HEADER_ROWS = 8
/** Rows that are inspected to tell the usual number of cells. */
const INSPECTED = 50

/** Blocks in order. The header of a table without one is empty: no words are added. */
export function layOut(rows: readonly Row[], hints: Hints = NO_HINTS): LayoutBlock[] {
  const blocks: LayoutBlock[] = []
  const counts = rows.map(filledCells).filter((count) => count > 0)
  // A cell by itself is text.
  const isOneColumn = counts.length > 1 && counts.every((count) => count === 1)
  let table: { header: Row; rows: Row[] } | undefined
  for (const group of groupsOf(rows)) {
    const start = isOneColumn ? group.from : afterTitles(rows, group)
    const titles = rows.slice(group.from, start).map((row) => row.filter((cell) => cell.trim() !== '').join(' '))
    if (titles.length > 0) blocks.push({ lines: titles })
    if (start === group.to) continue
    const count = headerRows(rows, start, group.to, hints, table !== undefined)
    const data = rows.slice(start + count, group.to)
    // A group without a header continues the table before it.
    if (count === 0 && table && blocks.at(-1) === table) {
      for (const row of data) table.rows.push(row)
      continue
    }
    const header = count > 0 ? joinedHeader(rows.slice(start, start + count), data) : table?.header
    table = withoutEmptyColumns(header ?? [], data)
    blocks.push(table)
  }
  return blocks
}

function groupsOf(rows: readonly Row[]): Group[] {
  const groups: Group[] = []
  let from = -1
  for (let index = 0; index <= rows.length; index += 1) {
    const isEmpty = index === rows.length || filledCells(rows[index]!) === 0
    if (!isEmpty && from < 0) from = index
    if (!isEmpty || from < 0) continue
    groups.push({ from, to: index })
    from = -1
  }
  return groups
}

/** Lines above a table have one cell, or few at the left, as in `Date: | 1 March`. */
function afterTitles(rows: readonly Row[], { from, to }: Group): number {
  const counts = rows.slice(from, from + INSPECTED).map(filledCells)
  const filled = counts.filter((count) => count > 0).toSorted((one, other) => one - other)
  const usual = filled[Math.floor(filled.length / 2)] ?? 0
  const widest = Math.max(...counts.slice(0, to - from))
  let start = from
  while (start < to) {
    const cells = filledCells(rows[start]!)
    const areLeft = rows[start]!.slice(0, cells).every((cell) => cell.trim() !== '')
    if (cells > 1 && !(cells === 2 && usual >= 4 && areLeft)) break
    start += 1
  }
  // One cell in each row: a list, unless a table follows.
  return widest <= 1 ? to : start
}

function headerRows(rows: readonly Row[], at: number, end: number, hints: Hints, isLater: boolean): number {
  let count = 0
  if (hints.headers.has(at) || (hints.continued.has(at) && !isLater)) {
    count = 1
    while (hints.headers.has(at + count) && at + count < end && count < MAX_HEADER_ROWS) count += 1
  } else {
    // A row by itself may be the header of the next group.
    const isAlone = at + 1 === end
    const below = rows.slice(at + 1, isAlone ? at + 1 + INSPECTED : Math.min(end, at + 1 + INSPECTED))
    if (below.length === 0 || (isAlone && !hasContrast(rows[at]!, below))) return 0
    const isBold = hints.bold.has(at) && !hints.bold.has(at + 1)
    if (isBold || (looksLikeHeader(rows[at]!, below) && (!isLater || hasContrast(rows[at]!, below)))) count = 1
    if (isContinuedHeader(rows[at]!, below)) return 2
  }
  while (count > 0 && count < MAX_HEADER_ROWS && at + count < end && hints.continued.has(at + count - 1)) count += 1
  return count
}

/** Several header rows as one: `2024 Q1`. */
function joinedHeader(header: readonly Row[], data: readonly Row[]): Row {
  const width = Math.max(...header.map((row) => row.length), ...data.slice(0, INSPECTED).map((row) => row.length))
  const above = header.slice(0, -1).map((row) => filledRight(row, header.at(-1)!))
  return Array.from({ length: width }, (_, column) => {
    const cells = [...above, header.at(-1)!].map((row) => (row[column] ?? '').trim()).filter((cell) => cell !== '')
    return cells.filter((cell, index) => cell !== cells[index - 1]).join(' ')
  })
}

/** A cell of an upper header row counts for the empty ones to its right that have a cell below. */
function filledRight(row: Row, below: Row): Row {
  let last = ''
  return Array.from({ length: Math.max(row.length, below.length) }, (_, column) => {
    const cell = (row[column] ?? '').trim()
    if (cell !== '') last = cell
    return cell === '' && (below[column] ?? '').trim() !== '' ? last : cell
  })
}

function withoutEmptyColumns(header: Row, rows: Row[]): { header: Row; rows: Row[] } {
  const used: boolean[] = []
  for (const row of [header, ...rows])
    for (let column = 0; column < row.length; column += 1) if (row[column]!.trim() !== '') used[column] = true
  const columns = Array.from(used.keys()).filter((column) => used[column])
  if (columns.length === used.length) return { header, rows }
  const kept = (row: Row) => columns.map((column) => row[column] ?? '')
  return { header: kept(header), rows: rows.map(kept) }
}

function filledCells(row: Row): number {
  let count = 0
  for (const cell of row) if (cell.trim() !== '') count += 1
  return count
}
