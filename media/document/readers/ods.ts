// Spreadsheets of OpenDocument. One page per sheet, more for a long one; hidden sheets, rows and columns are left out.
import type { Notice } from '../../../contracts/notices.ts'
import { MediaFailure } from '../../failure.ts'
import { columnName } from './cell-references.ts'
import { markupToMarkdown } from './markup.ts'
import { withContent } from './odf.ts'
import { OdfHtml, type OdfSource } from './odf-html.ts'
import type { ReadObject } from './odf-objects.ts'
import { type Sheet, sheetPages } from './sheet-grid.ts'
import { leftOutSheets, unvaluedFormulas, withNotices } from './sheet-notices.ts'
import { withAllDigits } from './shown-digits.ts'
import type { UnnumberedPage } from './table.ts'
import { attribute, childAt, childrenOf, descendantsOf, nameOf } from './xml.ts'

/** Limits of repetitions, which are untrusted numbers, for cells and rows that are not empty. */
const MAX_REPEATED = 1_000
const MAX_COLUMNS = 16_384

/** @throws MediaFailure */
export function readOds(path: string): Promise<UnnumberedPage[]> {
  return withContent(path, (source, body) => {
    const writer = new OdfHtml(source)
    const tables = childrenOf(childAt(body, 'spreadsheet'), 'table')
    const isHidden = (table: Element) => writer.styleOf(table, 'table-properties', 'display') === 'false'
    const visible = tables.filter((table) => !isHidden(table))
    if (visible.length === 0 && tables.length > 0)
      throw new MediaFailure('empty', 'All sheets of the workbook are hidden')
    const hidden = tables.filter(isHidden).map((table) => attribute(table, 'name') ?? '')
    const pages = visible.flatMap((table) => {
      const found = sheetPages(new TableReader(writer, source.object).read(table))
      return withPicturesOf(table, source, found)
    })
    return withNotices(pages, leftOutSheets(hidden))
  })
}

/** The first page has the pictures of the sheet. */
function withPicturesOf(table: Element, source: OdfSource, pages: UnnumberedPage[]): UnnumberedPage[] {
  const frames = [...descendantsOf(table, 'frame')].filter((frame) => !childAt(frame, 'object'))
  const images = frames.flatMap((frame) => childAt(frame, 'image') ?? [])
  if (images.length === 0) return pages
  const [first = { text: '', label: `Sheet ${attribute(table, 'name') ?? ''}` }, ...others] = pages
  const found = source.marks.page(images.map((image) => source.marks.picture(source.picture(image))).join(''))
  const notices = [...(first.notices ?? []), ...(found.notices ?? [])]
  return [{ ...found, ...first, ...(notices.length > 0 && { notices }) }, ...others]
}

class TableReader {
  readonly #writer: OdfHtml
  readonly #object: ReadObject
  readonly #rows: Sheet['rows'] = new Map()
  readonly #merged: Sheet['merged'] = []
  readonly #hiddenRows = new Set<number>()
  readonly #hiddenColumns: { from: number; to: number }[] = []
  readonly #headers: { from: number; to: number }[] = []
  readonly #comments: string[] = []
  readonly #unvalued: string[] = []
  #row = 0
  #column = 0
  #leftOut = 0

  constructor(writer: OdfHtml, object: ReadObject) {
    this.#writer = writer
    this.#object = object
  }

  read(table: Element): Sheet {
    const name = attribute(table, 'name') ?? ''
    this.#readRows(table)
    const boxes = [...descendantsOf(table, 'text-box')].map((box) => this.#paragraphs(box, '\n\n')).filter(Boolean)
    const objects = [...descendantsOf(table, 'object')].map((object) => this.#object(object))
    const charts = objects.filter((html) => html !== undefined).map((html) => markupToMarkdown(html))
    const comments = this.#comments.length > 0 ? [`**Comments:**\n\n${this.#comments.join('\n')}`] : []
    return {
      name,
      rows: this.#rows,
      merged: this.#merged,
      hiddenRows: this.#hiddenRows,
      hiddenColumns: this.#hiddenColumns,
      bold: new Set(),
      headers: this.#headers,
      after: [...boxes, ...charts, ...comments].join('\n\n'),
      notices: [
        ...unvaluedFormulas(name, this.#unvalued),
        ...this.#unread(table, `Sheet ${name}`, objects.length - charts.length),
      ],
    }
  }

  #readRows(parent: Element): void {
    for (const child of childrenOf(parent)) {
      const from = this.#row
      switch (nameOf(child)) {
        case 'table-column':
          this.#readColumn(child)
          break
        case 'table-row':
          this.#readRow(child)
          break
        case 'table-header-rows':
          this.#readRows(child)
          if (this.#row > from) this.#headers.push({ from, to: this.#row - 1 })
          break
        case 'table-row-group':
        case 'table-rows':
        case 'table-columns':
        case 'table-column-group':
        case 'table-header-columns':
          this.#readRows(child)
      }
    }
  }

  #readColumn(column: Element): void {
    const to = this.#column + repeats(column, 'number-columns-repeated') - 1
    if (isInvisible(column)) this.#hiddenColumns.push({ from: this.#column, to })
    this.#column = to + 1
  }

  #readRow(row: Element): void {
    const times = repeats(row, 'number-rows-repeated')
    const cells = new Map<number, string>()
    let column = 0
    for (const cell of childrenOf(row, 'table-cell', 'covered-table-cell')) {
      const repeated = repeats(cell, 'number-columns-repeated')
      const text = nameOf(cell) === 'table-cell' ? this.#cellText(cell, column) : ''
      if (text !== '') {
        this.#leftOut += Math.max(0, repeated - MAX_REPEATED) * Math.min(times, MAX_REPEATED)
        for (let n = 0; n < Math.min(repeated, MAX_REPEATED); n += 1) cells.set(column + n, text)
        this.#merge(cell, column)
      }
      column += repeated
      if (column > MAX_COLUMNS) break
    }
    if (cells.size > 0) {
      this.#leftOut += Math.max(0, times - MAX_REPEATED) * cells.size
      for (let n = 0; n < Math.min(times, MAX_REPEATED); n += 1) {
        this.#rows.set(this.#row + n, new Map(cells))
        if (isInvisible(row)) this.#hiddenRows.add(this.#row + n)
      }
    }
    this.#row += times
  }

  #merge(cell: Element, left: number): void {
    const right = left + repeats(cell, 'number-columns-spanned') - 1
    const bottom = this.#row + repeats(cell, 'number-rows-spanned') - 1
    if (right > left || bottom > this.#row) this.#merged.push({ top: this.#row, left, bottom, right })
  }

  /** Dates in ISO format; other values as displayed, with all digits. */
  #cellText(cell: Element, column: number): string {
    const at = `${columnName(column)}${this.#row + 1}`
    const note = childAt(cell, 'annotation')
    const comment = note ? this.#paragraphs(note, ' ') : ''
    if (comment !== '') this.#comments.push(`- ${at}: ${comment}`)
    const date = attribute(cell, 'date-value')
    if (date !== undefined)
      return date
        .replace(/(\.\d*?)0+$/, '$1')
        .replace(/\.$/, '')
        .replace(/T00:00:00$/, '')
        .replace('T', ' ')
    const type = attribute(cell, 'value-type')
    const shown = withSeconds(this.#paragraphs(cell, ' '), attribute(cell, 'time-value'))
    const value = attribute(cell, 'value')
    const formula = attribute(cell, 'formula')
    if (formula !== undefined && type === undefined && shown === '') {
      this.#unvalued.push(at)
      return plainFormula(formula)
    }
    return value !== undefined && /^(?:float|currency|percentage)$/.test(type ?? '')
      ? withAllDigits(shown, value, type === 'percentage')
      : shown
  }

  #paragraphs(element: Element, joint: string): string {
    return childrenOf(element, 'p')
      .map((paragraph) => this.#writer.plain(paragraph).trim())
      .join(joint)
  }

  #unread(table: Element, place: string, objects: number): Notice[] {
    const notice = (message: string, count: number): Notice[] =>
      count > 0 ? [{ code: 'not_read', message, count, places: [place] }] : []
    return [
      ...notice('Embedded objects are not read', objects),
      ...(this.#leftOut > 0
        ? [
            {
              code: 'left_out' as const,
              message: `Cells repeated more than ${MAX_REPEATED} times are left out`,
              count: this.#leftOut,
              places: [place],
            },
          ]
        : []),
    ]
  }
}

function isInvisible(element: Element): boolean {
  return /^(?:collapse|filter)$/.test(attribute(element, 'visibility') ?? '')
}

function repeats(element: Element, name: string): number {
  return Math.max(1, Math.floor(Number(attribute(element, name) ?? 1)) || 1)
}

/** `12:34:56.789` of a time that is shown as `12:34:57`. */
function withSeconds(shown: string, time: string | undefined): string {
  const [, seconds = '', fraction = ''] = /(\d+)[.,](\d*?)0*S$/.exec(time ?? '') ?? []
  if (fraction === '') return shown
  return shown.replace(/(:\d\d:)\d\d(?!\d|[:.,]\d)/, `$1${seconds.padStart(2, '0')}.${fraction}`)
}

/** `=B2*3` of `of:=[.B2]*3`. */
function plainFormula(formula: string): string {
  return formula
    .replace(/^\w+:(?==)/, '')
    .replaceAll(/\[([^\]]*)\]/g, (_, reference: string) => reference.replaceAll(/(^|:)\./g, '$1'))
}
