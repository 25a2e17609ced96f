// XLSX files of a few lines of XML, for what libraries that write them cannot express.
import { zip } from './documents.ts'

export type Cell =
  | string
  | number
  | null
  | { value?: string | number; format?: number; formula?: string; shared?: number; type?: string }

export interface SheetSource {
  name?: string
  rows: Cell[][]
  merged?: string[]
  hidden?: boolean
  /** From 0. */
  hiddenRows?: number[]
  hiddenColumns?: number[]
  bold?: number[]
  frozen?: number
  filter?: string
  comments?: Record<string, string>
  boxes?: string[]
  /** Charts, of which each is a part of its own: its content. */
  charts?: string[]
  /** Whether it is a sheet of charts instead of cells. */
  isChart?: boolean
  /** Threads of comments, in the older form as well. */
  threads?: Record<string, string>
  pictures?: number
}

const MAIN = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main'
const RELATIONS = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'
const PACKAGE = 'http://schemas.openxmlformats.org/package/2006/relationships'

export function workbook(sheets: SheetSource[], { date1904 = false } = {}): Buffer {
  const named = sheets.map((sheet, index) => ({ name: `Sheet${index + 1}`, ...sheet }))
  const formats = [...new Set(sheets.flatMap(({ rows }) => rows.flat().map(formatOf)))]
  const parts: Record<string, string> = {
    '[Content_Types].xml': '<Types/>',
    '_rels/.rels': relations([['officeDocument', 'xl/workbook.xml']]),
    'xl/workbook.xml': `<x:workbook xmlns:x="${MAIN}" xmlns:r="${RELATIONS}"><x:workbookPr date1904="${date1904 ? 1 : 0}"/><x:sheets>${named
      .map(
        ({ name, hidden }, index) =>
          `<x:sheet name="${name}" sheetId="${index + 1}" r:id="rId${index + 2}"${hidden ? ' state="hidden"' : ''}/>`,
      )
      .join('')}</x:sheets></x:workbook>`,
    'xl/_rels/workbook.xml.rels': relations([
      ['styles', 'styles.xml'],
      ...named.map((_, index): [string, string] => [
        named[index]!.isChart ? 'chartsheet' : 'worksheet',
        `worksheets/sheet${index + 1}.xml`,
      ]),
      ['person', 'person.xml'],
    ]),
    'xl/person.xml': '<personList><person id="{A}" displayName="Ada Sund"/></personList>',
    'xl/styles.xml': `<styleSheet xmlns="${MAIN}"><fonts><font/><font><b/></font></fonts><cellXfs>${formats
      .flatMap((id) => [0, 1].map((font) => `<xf numFmtId="${id}" fontId="${font}"/>`))
      .join('')}</cellXfs></styleSheet>`,
  }
  for (const [index, sheet] of named.entries()) {
    parts[`xl/worksheets/sheet${index + 1}.xml`] = sheetXml(sheet, formats)
    const beside: [string, string][] = []
    if (sheet.comments || sheet.threads) {
      beside.push(['comments', `../comments${index}.xml`])
      const note = (at: string, text: string, author: number) =>
        `<comment ref="${at}" authorId="${author}"><text><r><t>${text}</t></r></text></comment>`
      const list = [
        ...Object.entries(sheet.comments ?? {}).map(([at, text]) => note(at, text, 0)),
        ...Object.entries(sheet.threads ?? {}).map(([at, text]) => note(at, `[Threaded comment] ${text}`, 1)),
      ]
      parts[`xl/comments${index}.xml`] =
        `<comments xmlns="${MAIN}"><authors><author>Bo</author><author>tc={T}</author></authors><commentList>${list.join('')}</commentList></comments>`
    }
    if (sheet.threads) {
      beside.push(['threadedComment', `../threads${index}.xml`])
      const list = Object.entries(sheet.threads).map(
        ([at, text]) =>
          `<threadedComment ref="${at}" dT="2026-06-18T17:12:37.41" personId="{A}"><text>${text}</text></threadedComment>`,
      )
      parts[`xl/threads${index}.xml`] = `<ThreadedComments>${list.join('')}</ThreadedComments>`
    }
    if (sheet.boxes || sheet.charts || sheet.pictures) {
      beside.unshift(['drawing', `../drawings/drawing${index}.xml`])
      parts[`xl/drawings/drawing${index}.xml`] = drawingXml(sheet)
      for (const [number, chart] of (sheet.charts ?? []).entries()) parts[`xl/charts/${index}-${number}.xml`] = chart
      const images = Array.from({ length: sheet.pictures ?? 0 }, (_, number) => `media/${index}-${number}.png`)
      for (const image of images) parts[`xl/${image}`] = 'x'
      parts[`xl/drawings/_rels/drawing${index}.xml.rels`] = relations([
        ...(sheet.charts ?? []).map((_, number): [string, string] => ['chart', `../charts/${index}-${number}.xml`]),
        ...images.map((image): [string, string] => ['image', `../${image}`]),
      ])
    }
    if (beside.length > 0) parts[`xl/worksheets/_rels/sheet${index + 1}.xml.rels`] = relations(beside)
  }
  return zip(parts)
}

function relations(targets: [string, string][]): string {
  const list = targets.map(
    ([type, target], index) => `<Relationship Id="rId${index + 1}" Type="${RELATIONS}/${type}" Target="${target}"/>`,
  )
  return `<Relationships xmlns="${PACKAGE}">${list.join('')}</Relationships>`
}

function sheetXml(sheet: SheetSource, formats: number[]): string {
  const { rows, merged = [], hiddenRows = [], hiddenColumns = [], bold = [], frozen = 0, filter } = sheet
  const lines = rows.map((cells, row) => {
    const list = cells.map((cell, column) =>
      cellXml(cell, `${String.fromCharCode(65 + column)}${row + 1}`, formats, bold.includes(row)),
    )
    return `<row r="${row + 1}"${hiddenRows.includes(row) ? ' hidden="1"' : ''}>${list.join('')}</row>`
  })
  const columns = hiddenColumns.map((column) => `<col min="${column + 1}" max="${column + 1}" hidden="1"/>`)
  return `<worksheet xmlns="${MAIN}"><sheetViews><sheetView>${frozen ? `<pane ySplit="${frozen}" state="frozen"/>` : ''}</sheetView></sheetViews>
    ${columns.length > 0 ? `<cols>${columns.join('')}</cols>` : ''}<sheetData>${lines.join('')}</sheetData>${filter ? `<autoFilter ref="${filter}"/>` : ''}
    ${merged.length > 0 ? `<mergeCells>${merged.map((ref) => `<mergeCell ref="${ref}"/>`).join('')}</mergeCells>` : ''}</worksheet>`
}

function cellXml(cell: Cell, at: string, formats: number[], isBold: boolean): string {
  if (cell === null) return ''
  const style = ` s="${formats.indexOf(formatOf(cell)) * 2 + (isBold ? 1 : 0)}"`
  if (typeof cell === 'string') return `<c r="${at}"${style} t="inlineStr"><is><t>${escape(cell)}</t></is></c>`
  if (typeof cell === 'number') return `<c r="${at}"${style}><v>${cell}</v></c>`
  const { value, formula, shared, type } = cell
  const kind = shared === undefined ? '' : ` t="shared" si="${shared}"`
  return `<c r="${at}"${style}${type ? ` t="${type}"` : ''}>${formula === undefined ? '' : `<f${kind}>${escape(formula)}</f>`}${value === undefined ? '' : `<v>${value}</v>`}</c>`
}

function formatOf(cell: Cell): number {
  return typeof cell === 'object' ? (cell?.format ?? 0) : 0
}

function drawingXml({ boxes = [], charts = [], pictures = 0 }: SheetSource): string {
  const images = Array.from(
    { length: pictures },
    (_, number) =>
      `<xdr:pic><xdr:blipFill><a:blip r:embed="rId${charts.length + number + 1}"/></xdr:blipFill></xdr:pic>`,
  )
  const frames = charts.map(
    (_, number) => `<xdr:graphicFrame><c:chart xmlns:c="c" r:id="rId${number + 1}"/></xdr:graphicFrame>`,
  )
  const shapes = boxes.map(
    (text) => `<xdr:sp><xdr:txBody><a:p><a:r><a:t>${text}</a:t></a:r></a:p></xdr:txBody></xdr:sp>`,
  )
  return `<xdr:wsDr xmlns:xdr="d" xmlns:a="a">${shapes.join('')}${frames.join('')}${images.join('')}</xdr:wsDr>`
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
