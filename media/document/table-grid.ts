// Merged cells of a table: each row gets a cell for every column, so that values stay below their headers.

/** Limit of columns: `colspan` is untrusted. */
export const MAX_COLUMNS = 200
/** Longest text that is repeated, in characters. */
const LONGEST_REPEATED = 200

/**
 * Replaces `rowspan` and `colspan` by cells. A value is repeated in every row and column that it spans, unless it spans the
 * whole width. Changes the table, which must not contain another.
 */
export function fillSpans(table: Element): void {
  const rows = [...table.querySelectorAll('tr')]
  if (!table.querySelector('[rowspan], [colspan]')) return
  const width = Math.min(MAX_COLUMNS, Math.max(0, ...rows.map((row) => sum(cellsOf(row)))))
  /** Cells of earlier rows by column, with the number of rows that they still span. */
  let open = new Map<number, { cell: Element; rows: number }>()
  for (const [index, row] of rows.entries()) {
    if (row.parentElement !== rows[index - 1]?.parentElement) open = new Map()
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
      put(cell, down)
      for (let column = 1; column < across && filled.length < MAX_COLUMNS; column++)
        put(across < width ? repeated(cell) : empty(cell), down)
    }
    putOpen()
    row.replaceChildren(...filled)
    open = below
  }
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

/** Longest cell of a table that is not a layout, in characters, and its fewest rows and columns. */
const LONGEST_CELL = 500
const FEWEST = 2

/** Replaces tables within the cells of tables by lines of text, unless the outer one is only a layout. Changes the element. */
export function flattenNested(element: Element): void {
  for (const table of [...element.querySelectorAll('table')].toReversed()) {
    const outer = table.parentElement?.closest('table')
    if (!outer || !holdsData(outer)) continue
    const document = table.ownerDocument
    const rows = [...table.querySelectorAll('tr')]
    const lines = rows.map((row, index) => {
      const line = document.createElement('div')
      for (const [column, cell] of cellsOf(row).entries()) {
        if (column > 0) line.append(document.createTextNode(', '))
        const [only] = cell.children
        line.append(...(cell.children.length === 1 && only?.tagName === 'P' ? only : cell).childNodes)
      }
      if (index < rows.length - 1) line.append(document.createTextNode(';'))
      return line
    })
    table.replaceWith(...lines)
  }
}

function holdsData(table: Element): boolean {
  const rows = [...table.querySelectorAll('tr')].filter((row) => row.closest('table') === table)
  const cells = rows.map(cellsOf)
  return (
    rows.length >= FEWEST &&
    cells.some((row) => row.length >= FEWEST) &&
    !table.querySelector('h1, h2, h3') &&
    cells.every((row) => row.every(({ textContent }) => (textContent ?? '').length <= LONGEST_CELL))
  )
}
