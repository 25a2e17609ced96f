// Detects what separates the cells of a table in text.
import Papa from 'papaparse'
import { isValue } from './readers/table-header.ts'

/** First line of a file for Excel: `sep=;`. */
export const SEPARATOR_LINE = /^(?:"?sep=(.)"?)[ \t]*(?:\r\n|\r|\n|$)/i

/** In the order of preference when the text fits several. */
const DELIMITERS = ['\t', ';', '|', ',', '\u001f', '^', '~', ':']
/** The last two are only tried where no other fits. */
const RARE: ReadonlySet<string> = new Set(['^', '~', ':'])
const INSPECTED_LINES = 200
const INSPECTED_CHARACTERS = 262_144

interface Fit {
  delimiter: string
  /** Share of the rows that have the usual number of cells. */
  regular: number
  width: number
  /** Share of the cells that hold another delimiter and are no values, as `12,5` is one. */
  uncut: number
}

/** Undefined when the text has one column. */
export function delimiterOf(text: string): string | undefined {
  const declared = SEPARATOR_LINE.exec(text)?.[1]
  if (declared !== undefined) return declared
  const fits = DELIMITERS.map((delimiter) => fitOf(text.slice(0, INSPECTED_CHARACTERS), delimiter)).filter(
    ({ width, regular }) => width > 1 && regular >= 0.5,
  )
  const usual = fits.filter(({ delimiter }) => !RARE.has(delimiter))
  const [best] = (usual.length > 0 ? usual : fits).toSorted(
    (one, other) => step(other.regular) - step(one.regular) || one.uncut - other.uncut,
  )
  return best?.delimiter
}

/** A few odd rows, such as titles, say nothing about the delimiter. */
function step(regular: number): number {
  return Math.floor(regular * 5)
}

function fitOf(text: string, delimiter: string): Fit {
  const { data } = Papa.parse<string[]>(text, { delimiter, preview: INSPECTED_LINES, skipEmptyLines: 'greedy' })
  const counts = new Map<number, number>()
  for (const { length } of data) counts.set(length, (counts.get(length) ?? 0) + 1)
  // Titles have one cell: the usual number is that of the other rows.
  const [width, rows] = [...counts].filter(([each]) => each > 1).toSorted((one, other) => other[1] - one[1])[0] ?? [
    1, 0,
  ]
  const cells = data.flat().filter((cell) => cell !== '')
  const uncut = cells.filter((cell) => OTHERS.test(cell.replaceAll(delimiter, '')) && !isValue(cell)).length
  return { delimiter, width, regular: rows / Math.max(1, data.length), uncut: uncut / Math.max(1, cells.length) }
}

const OTHERS = /[\t;|,]/
