// The cells of a sheet of an XLSX file, as the application shows them.
import { cellAt, columnName, movedFormula, type Range, rangeOf } from './cell-references.ts'
import { shownNumber, shownText } from './number-format.ts'
import { unescapeText, type Workbook } from './workbook.ts'
import { readXmlEvents } from './xml-events.ts'

export interface SheetCells {
  /** By row from 0; cells by column from 0. */
  rows: Map<number, Map<number, string>>
  merged: Range[]
  hiddenRows: Set<number>
  hiddenColumns: { from: number; to: number }[]
  /** Rows whose cells are all bold. */
  bold: Set<number>
  /** Rows at the top that do not scroll. */
  frozen: number
  /** Of the filter. */
  filter?: Range
  /** Formulas that are shown because no value is stored: `C2`. */
  unvalued: string[]
}

interface Cell {
  row: number
  column: number
  type: string
  style: number
  value: string | undefined
  text: string
  formula: { text: string; shared: string | undefined } | undefined
}

/** @throws Error for XML that is not well-formed */
export function readSheetCells(xml: string, book: Workbook): SheetCells {
  const reader = new SheetReader(book)
  readXmlEvents(xml, reader)
  return reader.sheet
}

class SheetReader {
  readonly sheet: SheetCells = {
    rows: new Map(),
    merged: [],
    hiddenRows: new Set(),
    hiddenColumns: [],
    bold: new Set(),
    frozen: 0,
    unvalued: [],
  }
  readonly #book: Workbook
  readonly #shared = new Map<string, { formula: string; row: number; column: number }>()
  #row = -1
  #column = -1
  #isBold = true
  #cell: Cell | undefined
  #take: 'value' | 'text' | 'formula' | undefined
  #isPhonetic = false

  constructor(book: Workbook) {
    this.#book = book
  }

  readonly open = (name: string, attribute: (name: string) => string | undefined): void => {
    const { sheet } = this
    switch (name) {
      case 'row':
        this.#row = Number(attribute('r') ?? this.#row + 2) - 1
        this.#column = -1
        this.#isBold = true
        if (isTrue(attribute('hidden')) || attribute('ht') === '0') sheet.hiddenRows.add(this.#row)
        break
      case 'c':
        this.#begin(attribute)
        break
      case 'v':
        this.#take = 'value'
        break
      case 't':
        this.#take = this.#cell && !this.#isPhonetic ? 'text' : undefined
        break
      case 'f':
        this.#take = 'formula'
        if (this.#cell)
          this.#cell.formula = { text: '', shared: attribute('t') === 'shared' ? attribute('si') : undefined }
        break
      case 'rPh':
        this.#isPhonetic = true
        break
      case 'col':
        if (isTrue(attribute('hidden')) || attribute('width') === '0')
          sheet.hiddenColumns.push({ from: Number(attribute('min')) - 1, to: Number(attribute('max')) - 1 })
        break
      case 'mergeCell':
        addRange(sheet.merged, attribute('ref'))
        break
      case 'pane':
        if (attribute('state')?.startsWith('frozen')) sheet.frozen = Math.max(0, Number(attribute('ySplit') ?? 0) || 0)
        break
      case 'autoFilter': {
        const range = rangeOf(attribute('ref') ?? '')
        if (range) sheet.filter = range
      }
    }
  }

  readonly close = (name: string): void => {
    if (name === 'c') this.#end()
    else if (name === 'row' && this.#isBold && this.sheet.rows.has(this.#row)) this.sheet.bold.add(this.#row)
    else if (name === 'rPh') this.#isPhonetic = false
    else if (name === 'v' || name === 't' || name === 'f') this.#take = undefined
  }

  readonly text = (words: string): void => {
    const cell = this.#cell
    if (!cell || !this.#take) return
    if (this.#take === 'value') cell.value = (cell.value ?? '') + words
    else if (this.#take === 'text') cell.text += words
    else cell.formula!.text += words
  }

  #begin(attribute: (name: string) => string | undefined): void {
    const at = cellAt(attribute('r') ?? '')
    this.#column = at?.column ?? this.#column + 1
    if (at) this.#row = at.row
    this.#cell = {
      row: this.#row,
      column: this.#column,
      type: attribute('t') ?? 'n',
      style: Number(attribute('s') ?? 0),
      value: undefined,
      text: '',
      formula: undefined,
    }
  }

  #end(): void {
    const cell = this.#cell
    this.#cell = undefined
    if (!cell) return
    const formula = this.#formulaOf(cell)
    const isUnvalued = formula !== undefined && cell.value === undefined && cell.type !== 'str' && cell.text === ''
    const text = isUnvalued ? formula : this.#shown(cell)
    if (isUnvalued) this.sheet.unvalued.push(`${columnName(cell.column)}${cell.row + 1}`)
    if (text === '') return
    this.#isBold &&= this.#book.styles[cell.style]?.bold ?? false
    const cells = this.sheet.rows.get(cell.row)
    if (cells) cells.set(cell.column, text)
    else this.sheet.rows.set(cell.row, new Map([[cell.column, text]]))
  }

  #shown({ type, style, value, text }: Cell): string {
    const format = this.#book.styles[style]?.format ?? 'General'
    switch (type) {
      case 's':
        return shownText(this.#book.texts[Number(value)] ?? '', format)
      case 'inlineStr':
        return shownText(unescapeText(text), format)
      case 'b':
        return value === undefined ? '' : isTrue(value) ? 'TRUE' : 'FALSE'
      case 'n':
        return shownNumber(value ?? '', format, this.#book.date1904)
      case 'd':
        return (value ?? '').replace(/T00:00(?::00(?:\.0+)?)?Z?$/, '').replace('T', ' ')
      default:
        return shownText(unescapeText(value ?? text), format)
    }
  }

  #formulaOf({ formula, row, column }: Cell): string | undefined {
    if (!formula) return undefined
    if (formula.shared === undefined) return `=${formula.text}`
    if (formula.text !== '') {
      this.#shared.set(formula.shared, { formula: formula.text, row, column })
      return `=${formula.text}`
    }
    const first = this.#shared.get(formula.shared)
    return first ? `=${movedFormula(first.formula, row - first.row, column - first.column)}` : '=(formula)'
  }
}

function addRange(ranges: Range[], reference: string | undefined): void {
  const range = rangeOf(reference ?? '')
  if (range) ranges.push(range)
}

function isTrue(text: string | undefined): boolean {
  return text === '1' || text === 'true'
}
