// The cells of a sheet as rows for its tables: without what is hidden, and with the values of merged cells.
import { mergeNotices, type Notice } from '../../../contracts/notices.ts'
import { columnName, type Range } from './cell-references.ts'
import type { Hints } from './table-layout.ts'
import type { UnnumberedPage } from './table.ts'
import { tableParts } from './table.ts'

/** Rows and columns count from 0. */
export interface Sheet {
  name: string
  rows: Map<number, Map<number, string>>
  merged: Range[]
  hiddenRows: ReadonlySet<number>
  hiddenColumns: readonly { from: number; to: number }[]
  /** Rows whose cells are all bold. */
  bold: ReadonlySet<number>
  /** Rows that are marked as headers. */
  headers: readonly { from: number; to: number }[]
  /** Markdown below the cells. */
  after?: string
  notices?: Notice[]
}

/** Cells that are filled with the values of merged ones. */
const MAX_FILLED = 1_000_000

/** The pages of a sheet. */
export function sheetPages(sheet: Sheet): UnnumberedPage[] {
  const { name, after } = sheet
  const hidden = { rows: new Set<number>(), columns: new Set<number>() }
  const isHiddenColumn = columnTest(sheet.hiddenColumns)
  for (const [row, cells] of sheet.rows) {
    if (sheet.hiddenRows.has(row)) {
      hidden.rows.add(row)
      sheet.rows.delete(row)
      continue
    }
    for (const column of cells.keys()) {
      if (!isHiddenColumn(column)) continue
      hidden.columns.add(column)
      cells.delete(column)
    }
    if (cells.size === 0) sheet.rows.delete(row)
  }
  const place = `Sheet ${name}`
  const notices = [
    ...(sheet.notices ?? []),
    ...hiddenNotice('Hidden rows are left out', place, 'row', hidden.rows, (row) => String(row + 1)),
    ...hiddenNotice('Hidden columns are left out', place, 'column', hidden.columns, columnName),
  ]
  const { rows, hints } = gridOf(sheet)
  return tableParts(rows, { label: place, hints, notices: mergeNotices(notices), ...(after && { after }) })
}

/** Dense rows of the used columns; a gap between rows is one empty row. */
function gridOf(sheet: Sheet): { rows: string[][]; hints: Hints } {
  const used = [...sheet.rows.keys()].sort((one, other) => one - other)
  const columns = [...usedColumns(sheet)].sort((one, other) => one - other)
  const continued = fillMerged(sheet, columns)
  const rows: string[][] = []
  const hints = { headers: new Set<number>(), continued: new Set<number>(), bold: new Set<number>() }
  let before = used[0] ?? 0
  for (const row of used) {
    if (row > before + 1 && !onlyHidden(sheet, before, row)) rows.push([])
    before = row
    const index = rows.length
    if (continued.has(row)) hints.continued.add(index)
    if (sheet.bold.has(row)) hints.bold.add(index)
    if (sheet.headers.some(({ from, to }) => row >= from && row <= to)) hints.headers.add(index)
    const cells = sheet.rows.get(row)!
    rows.push(columns.map((column) => cells.get(column) ?? ''))
  }
  return { rows, hints }
}

function onlyHidden(sheet: Sheet, from: number, to: number): boolean {
  for (let row = from + 1; row < to; row += 1) if (!sheet.hiddenRows.has(row)) return false
  return true
}

/**
 * Merged cells carry their value into the used cells that they cover, except one that fills its row.
 * @returns the rows whose header would go on in the next row
 */
function fillMerged(sheet: Sheet, columns: readonly number[]): Set<number> {
  const continued = new Set<number>()
  let room = MAX_FILLED
  for (const { top, left, bottom, right } of sheet.merged) {
    const value = sheet.rows.get(top)?.get(left)
    if (value === undefined) continue
    const others = [...sheet.rows.get(top)!.keys()].some((column) => column < left || column > right)
    // A title, or a heading between rows.
    if (right > left && !others) continue
    for (const column of columns) {
      if (column < left || column > right) continue
      for (let row = top; row <= bottom && room > 0; row += 1) {
        const cells = sheet.rows.get(row)
        if (!cells) continue
        room -= 1
        if (!cells.has(column)) cells.set(column, value)
      }
    }
    for (let row = top; row < bottom && row < top + 100; row += 1) continued.add(row)
    if (right > left && sheet.rows.has(bottom + 1)) continued.add(bottom)
  }
  return continued
}

function usedColumns(sheet: Sheet): Set<number> {
  const columns = new Set<number>()
  for (const cells of sheet.rows.values()) for (const column of cells.keys()) columns.add(column)
  return columns
}

function columnTest(hidden: Sheet['hiddenColumns']): (column: number) => boolean {
  return (column) => hidden.some(({ from, to }) => column >= from && column <= to)
}

function hiddenNotice(
  message: string,
  place: string,
  unit: string,
  found: Set<number>,
  name: (at: number) => string,
): Notice[] {
  if (found.size === 0) return []
  const ranges: { from: number; to: number }[] = []
  for (const at of [...found].sort((one, other) => one - other)) {
    const last = ranges.at(-1)
    if (last?.to === at - 1) last.to = at
    else ranges.push({ from: at, to: at })
  }
  const places = ranges
    .slice(0, 10)
    .map(({ from, to }) =>
      from === to ? `${place}, ${unit} ${name(from)}` : `${place}, ${unit}s ${name(from)}-${name(to)}`,
    )
  return [{ code: 'left_out', message, count: found.size, places }]
}
