// References to cells of spreadsheets, and formulas that are stored once for several cells.

const REFERENCE = /("(?:[^"]|"")*"|'(?:[^']|'')*'!)|(?<![\w.])(\$?)([A-Z]{1,3})(\$?)(\d{1,7})(?![\w(.])/g

/** A formula as if it were copied: relative references move. */
export function movedFormula(formula: string, rows: number, columns: number): string {
  return formula.replaceAll(
    REFERENCE,
    (whole, quoted: string | undefined, fixedColumn: string, column: string, fixedRow: string, row: string) => {
      if (quoted !== undefined) return whole
      const movedColumn = fixedColumn ? column : columnName(columnNumber(column) + columns)
      return `${fixedColumn}${movedColumn}${fixedRow}${fixedRow ? row : Number(row) + rows}`
    },
  )
}

/** From 0. */
export function columnNumber(name: string): number {
  let number = 0
  for (const letter of name) number = number * 26 + letter.charCodeAt(0) - 64
  return number - 1
}

/** `A` of 0. */
export function columnName(index: number): string {
  let name = ''
  for (let rest = index + 1; rest > 0; rest = Math.floor((rest - 1) / 26))
    name = String.fromCharCode(65 + ((rest - 1) % 26)) + name
  return name
}

/** Row and column from 0 of `B2`. */
export function cellAt(reference: string): { row: number; column: number } | undefined {
  let at = 0
  let column = 0
  for (let code = reference.charCodeAt(at); code >= 65 && code <= 90; code = reference.charCodeAt(++at))
    column = column * 26 + code - 64
  const row = Number(reference.slice(at))
  return at > 0 && row > 0 ? { row: row - 1, column: column - 1 } : undefined
}

export interface Range {
  top: number
  left: number
  bottom: number
  right: number
}

/** Rows and columns from 0 of `B2:C9` or `B2`. */
export function rangeOf(reference: string): Range | undefined {
  const found = /^\$?([A-Z]{1,3})\$?(\d+)(?::\$?([A-Z]{1,3})\$?(\d+))?$/.exec(reference)
  if (!found) return undefined
  const [, left = '', top = '', right = left, bottom = top] = found
  return { top: Number(top) - 1, left: columnNumber(left), bottom: Number(bottom) - 1, right: columnNumber(right) }
}
