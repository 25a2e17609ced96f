// Spreadsheets of Excel. One page per sheet, more for a long one; hidden sheets, rows and columns are left out.
import type { Notice } from '../../../contracts/notices.ts'
import { MediaFailure } from '../../failure.ts'
import { withArchive } from './archive.ts'
import { readSheetCells, type SheetCells } from './sheet-cells.ts'
import { type SheetExtras, sheetExtras } from './sheet-extras.ts'
import { sheetPages } from './sheet-grid.ts'
import { leftOutSheets, unvaluedFormulas, withNotices } from './sheet-notices.ts'
import type { UnnumberedPage } from './table.ts'
import { readWorkbook } from './workbook.ts'

/** Formulas are read as their stored results, else as formulas. @throws MediaFailure */
export function readXlsx(path: string): Promise<UnnumberedPage[]> {
  return withArchive(path, async (archive) => {
    const book = await readWorkbook(archive)
    const visible = book.sheets.filter(({ hidden }) => !hidden)
    if (visible.length === 0 && book.sheets.length > 0)
      throw new MediaFailure('empty', 'All sheets of the workbook are hidden')
    const hidden = book.sheets.filter((each) => each.hidden).map(({ name }) => name)
    const notices = leftOutSheets(hidden)
    const pages: UnnumberedPage[] = []
    for (const { name, path: part, isChart } of visible) {
      if (part === undefined) {
        notices.push(unreadSheet(name))
        continue
      }
      const extras = await sheetExtras(archive, part, name, book.persons)
      const label = `Sheet ${name}`
      if (isChart) {
        pages.push(...withPictures([], extras, label))
        continue
      }
      const cells = readSheetCells(await archive.xml(part), book)
      const found = sheetPages({
        ...cells,
        name,
        headers: headersOf(cells, extras),
        after: extras.text,
        notices: [...unvaluedFormulas(name, cells.unvalued), ...extras.notices],
      })
      pages.push(...withPictures(found, extras, label))
    }
    return withNotices(pages, notices)
  })
}

/** Most rows of a header that does not scroll. */
const MAX_FROZEN = 8

function headersOf({ frozen, filter }: SheetCells, { headers }: SheetExtras): { from: number; to: number }[] {
  return [
    ...headers,
    ...(frozen > 0 && frozen <= MAX_FROZEN ? [{ from: 0, to: frozen - 1 }] : []),
    ...(filter ? [{ from: filter.top, to: filter.top }] : []),
  ]
}

/** The first page has the pictures of the sheet; one without cells is a page as well. */
function withPictures(
  [first, ...others]: UnnumberedPage[],
  { text, notices, pictures }: SheetExtras,
  label: string,
): UnnumberedPage[] {
  const own = pictures.length > 0 ? { pictures } : {}
  if (first) return [{ ...first, ...own }, ...others]
  if (text === '' && notices.length + pictures.length === 0) return []
  return [{ text, label, ...(notices.length > 0 && { notices }), ...own }]
}

function unreadSheet(name: string): Notice {
  return {
    code: 'not_read',
    message: 'Sheets without cells, such as dialogs and macros, are not read',
    count: 1,
    places: [`Sheet ${name}`],
  }
}
