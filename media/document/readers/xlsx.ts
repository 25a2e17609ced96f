// Spreadsheets of Excel: read-excel-file reads them. One page per sheet, more for a long one; hidden sheets are skipped.
import readSheets, { type CellValue } from 'read-excel-file/node'
import { withArchive } from './archive.ts'
import { type UnnumberedPage, tableParts } from './table.ts'

const WORKBOOK = 'xl/workbook.xml'
const HIDDEN = /<(?:\w+:)?sheet\b[^>]*\bstate="(?:hidden|veryHidden)"[^>]*\/>/g

/** Formulas are read as their stored results. @throws MediaFailure */
export async function readXlsx(path: string): Promise<UnnumberedPage[]> {
  const book = await withArchive(path, async (archive) => {
    await archive.xml(WORKBOOK)
    return archive.copy(
      (name) => /\.(xml|rels)$/i.test(name) && !/^xl\/(media|drawings|charts|externalLinks|pivotCache)/.test(name),
      (name, xml) => (name === WORKBOOK ? xml.replaceAll(HIDDEN, '') : xml),
    )
  })
  const sheets = await readSheets(book)
  return sheets.flatMap(({ sheet, data }) =>
    tableParts(
      data.map((row) => row.map(shown)),
      `Sheet ${sheet}`,
    ),
  )
}

function shown(value: CellValue | null): string {
  if (value === null) return ''
  // Excel has no time zones: the displayed time is the library's UTC value.
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '' : isoDate(value)
  // Rounded to twelve digits, to hide floating-point errors: 0.1 + 0.2.
  return typeof value === 'number' ? String(Number(value.toPrecision(12))) : String(value)
}

function isoDate(date: Date): string {
  // A fraction of a day is rarely a whole second.
  const [day = '', time = ''] = new Date(date.getTime() + 500).toISOString().split('T')
  if (time.startsWith('00:00:00')) return day
  return `${day} ${time.slice(0, time.startsWith('00', 6) ? 5 : 8)}`
}
