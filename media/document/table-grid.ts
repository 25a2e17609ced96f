// Merged cells of a table: each row gets a cell for every column, so that values stay below their headers.

/** Limit of columns: `colspan` is untrusted. */
export const MAX_COLUMNS = 200
/** Longest text that is repeated, in characters. */
const LONGEST_REPEATED = 200

/**
 * Replaces `rowspan` and `colspan` by cells. A value is repeated in every row that it spans, and one of a header in every
 * column, unless it spans the whole table. Changes the table, which must not contain another.
 */
export function fillSpans(table: Element): void {
  const rows = [...table.querySelectorAll('tr')]
  if (!table.querySelector('[rowspan], [colspan]')) return
  const width = Math.min(MAX_COLUMNS, Math.max(0, ...rows.map((row) => sum(cellsOf(row)))))
  const headers = headerRows(rows)
  /** Cells of earlier rows by column, with the number of rows that they still span. */
  let open = new Map<number, { cell: Element; rows: number }>()
  for (const [index, row] of rows.entries()) {
    if (row.parentElement !== rows[index - 1]?.parentElement) open = new Map()
    const isHeader = index < headers
    const filled: Element[] = []
    const below = new Map<number, { cell: Element; rows: number }>()
    const put = (cell: Element, left: number) => {
      if (left > 0) below.set(filled.length, { cell, rows: left })
      filled.push(cell)
    }
    const putOpen = () => {
      for (let above = open.get(filled.length); above; above = open.get(filled.length))
        put(repeated(above.cell), above.rows - 1)
    }
    for (const cell of cellsOf(row)) {
      putOpen()
      const [across, down] = [spanOf(cell, 'colspan'), spanOf(cell, 'rowspan') - 1]
      cell.removeAttribute('colspan')
      cell.removeAttribute('rowspan')
      const isRepeated = isHeader && across < width
      put(cell, down)
      for (let column = 1; column < across && filled.length < MAX_COLUMNS; column++)
        put(isRepeated ? repeated(cell) : empty(cell), down)
    }
    putOpen()
    row.replaceChildren(...filled)
    open = below
  }
}

/** Rows that are headers: marked ones at the beginning, and all that a cell of the first one spans. */
function headerRows(rows: Element[]): number {
  const isHeader = (row: Element) =>
    row.parentElement?.tagName === 'THEAD' || cellsOf(row).every(({ tagName }) => tagName === 'TH')
  const marked = rows.findIndex((row) => !isHeader(row))
  const first = rows[0] ? cellsOf(rows[0]) : []
  return Math.max(marked === -1 ? rows.length : marked, ...first.map((cell) => Math.min(3, spanOf(cell, 'rowspan'))))
}

export function cellsOf(row: Element): Element[] {
  return [...row.children].filter(({ tagName }) => tagName === 'TD' || tagName === 'TH')
}

function sum(cells: Element[]): number {
  return cells.reduce((width, cell) => width + spanOf(cell, 'colspan'), 0)
}

function spanOf(cell: Element, name: 'colspan' | 'rowspan'): number {
  const span = Number(cell.getAttribute(name) ?? 1)
  // To the end of its rows.
  if (span === 0 && name === 'rowspan') return Number.MAX_SAFE_INTEGER
  return Number.isInteger(span) && span >= 1 ? Math.min(span, name === 'colspan' ? MAX_COLUMNS : span) : 1
}

function repeated(cell: Element): Element {
  return (cell.textContent ?? '').length <= LONGEST_REPEATED ? (cell.cloneNode(true) as Element) : empty(cell)
}

function empty(cell: Element): Element {
  return cell.cloneNode(false) as Element
}
