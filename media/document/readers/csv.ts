// Tables in text, with comma, semicolon, tab or another delimiter.
import { readFile } from 'node:fs/promises'
import Papa from 'papaparse'
import type { Notice } from '../../../contracts/notices.ts'
import { delimiterOf, SEPARATOR_LINE } from '../delimiter.ts'
import { decodeText } from '../text-encoding.ts'
import { type UnnumberedPage, tableParts } from './table.ts'

/** Lines above the table stay text. */
export async function readCsv(path: string): Promise<UnnumberedPage[]> {
  const text = decodeText(await readFile(path))
  const delimiter = delimiterOf(text) ?? ','
  const table = text.replace(SEPARATOR_LINE, '')
  const { data, errors } = Papa.parse<string[]>(table, { delimiter })
  if (!errors.some(({ code }) => code === 'MissingQuotes' || code === 'InvalidQuotes')) return tableParts(data)
  // A quote without an end takes the rest of the file as one cell. There quotes are ordinary characters.
  const unquoted = Papa.parse<string[]>(table, { delimiter, quoteChar: '\0' }).data.map((row) => row.map(withoutQuotes))
  const isCut = errors.some(({ code }) => code === 'MissingQuotes') || regularRows(unquoted) > regularRows(data)
  const notices: Notice[] = [{ code: 'uncertain', message: MISPLACED, count: errors.length }]
  return tableParts(isCut ? unquoted : data, { notices })
}

const MISPLACED = 'Quotation marks are misplaced; cells may be cut wrongly'

function withoutQuotes(cell: string): string {
  return cell.replace(/^\s*"(.*)"\s*$/s, (_, inner: string) => inner.replaceAll('""', '"'))
}

/** Rows with as many cells as the first. */
function regularRows(rows: readonly string[][]): number {
  return rows.filter(({ length }) => length === rows[0]?.length).length
}
