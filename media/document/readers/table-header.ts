// Tells by its cells whether the first row of a table is its header.

type Row = readonly string[]

/** Numbers, dates, times, amounts, as they are written in tables. */
const VALUE =
  /^[(~≈<>]?\s*(?:[A-Z]{3}(?=[\s\d+-])|\p{Sc})?\s*[-+−–]?\s*\p{Sc}?\s*[.,]?\d[\d\s.,:'’/T-]*(?:[eE][+-]?\d+)?\s*(?:%|‰|\p{Sc}|[A-Z]{3}|[AaPp]\.?[Mm]\.?|Z)?\)?$/u
const OTHER_VALUE = /^(?:TRUE|FALSE|true|false|#(?:DIV\/0!|N\/A|NAME\?|NULL!|NUM!|REF!|VALUE!)|=.*)$/
/** In place of a value. */
const PLACEHOLDER = /^(?:n\/?a|null|none|nan|k\.?\s?a\.?|[-–—?.x*]+)$/i
/** Names of columns that are numbers: years, seasons, months, days. */
const PERIOD = /^(?:(?:1[89]|20|21)\d\d(?:[/-]\d{1,4}){0,2}|\d{1,2}[./-]\d{2,4})$/

export function isValue(cell: string): boolean {
  const text = cell.trim()
  return VALUE.test(text) || OTHER_VALUE.test(text)
}

/** @param below the rows that follow, at least one */
export function looksLikeHeader(row: Row, below: readonly Row[]): boolean {
  const filled = [...row.keys()].filter((column) => row[column]!.trim() !== '')
  const values = filled.filter((column) => isValue(row[column]!))
  if (values.length === 0) return filled.length > 0
  // An empty corner: the names of columns and rows are numbers.
  if ((row[0] ?? '').trim() === '' && (below[0]?.[0] ?? '').trim() !== '') return true
  if (hasContrast(row, below)) return true
  if (values.length === filled.length && !areNumbered(row, values)) return false
  const arePeriods = values.every((column) => PERIOD.test(row[column]!.trim()))
  return (arePeriods || areNumbered(row, values)) && values.every((column) => isOdd(row[column]!, column, below))
}

/** Whether text stands above values. */
export function hasContrast(row: Row, below: readonly Row[]): boolean {
  return row.some((cell, column) => {
    if (cell.trim() === '' || isValue(cell) || PLACEHOLDER.test(cell.trim())) return false
    const cells = below.map((each) => (each[column] ?? '').trim()).filter((each) => each !== '')
    return cells.length > 0 && cells.filter(isValue).length >= cells.length * 0.7
  })
}

/** Whether the row and the next are a header together, with cells that span others: `2024,,2025,` above `Q1,Q2,Q1,Q2`. */
export function isContinuedHeader(row: Row, below: readonly Row[]): boolean {
  const [next, ...data] = below
  if (!next || data.length === 0) return false
  const cells = (each: Row) => [...each.keys()].filter((column) => each[column]!.trim() !== '')
  const spanned = cells(next).filter((column) => (row[column] ?? '').trim() === '')
  if (cells(row).length < 2 || spanned.length < 2 || cells(next).some((column) => isValue(next[column]!))) return false
  // Each of its gaps has a name to its left.
  const first = cells(row)[0]!
  return spanned.every((column) => column > first) && hasContrast(next, data)
}

/** 1, 2, 3: at least three in a row. */
function areNumbered(row: Row, columns: number[]): boolean {
  const numbers = columns.map((column) => Number(row[column]))
  return numbers.length >= 3 && numbers.every((each, index) => index === 0 || each === numbers[index - 1]! + 1)
}

/** A period above other values is a name; above periods it is data. */
function isOdd(cell: string, column: number, below: readonly Row[]): boolean {
  const cells = below.map((row) => (row[column] ?? '').trim()).filter((each) => each !== '')
  const same = cells.filter((each) => PERIOD.test(each)).length
  return !PERIOD.test(cell.trim()) || same < cells.length / 2
}
