// The parts of an XLSX file that its sheets share: their list, number formats, texts.
import { MediaFailure } from '../../failure.ts'
import type { Archive } from './archive.ts'
import { builtInFormat } from './number-format.ts'
import { commentPersons } from './sheet-comments.ts'
import { attribute, childAt, childrenOf, parseXml, resolvePart } from './xml.ts'
import { readXmlEvents } from './xml-events.ts'

export interface Workbook {
  sheets: SheetPart[]
  date1904: boolean
  /** By the number of a cell's style. */
  styles: CellStyle[]
  /** By number. */
  texts: string[]
  /** Names of commenting persons by id. */
  persons: Map<string, string>
}

export interface SheetPart {
  name: string
  /** Undefined for a sheet of a kind without cells and charts. */
  path: string | undefined
  /** Whether it is a chart instead of cells. */
  isChart: boolean
  hidden: boolean
}

export interface CellStyle {
  format: string
  bold: boolean
}

export interface Relation {
  id: string
  /** The last word of its type: `worksheet`. */
  type: string
  path: string
}

/** @throws MediaFailure */
export async function readWorkbook(archive: Archive): Promise<Workbook> {
  const path = (await relationsOf(archive, '')).find(({ type }) => type === 'officeDocument')?.path ?? 'xl/workbook.xml'
  if (!archive.has(path) && archive.has('xl/workbook.bin'))
    throw new MediaFailure('not_a_document', 'Binary workbooks (XLSB) are not read: save it as XLSX')
  const book = parseXml(await archive.xml(path))
  const relations = await relationsOf(archive, path)
  const folder = path.slice(0, path.lastIndexOf('/') + 1)
  const partOf = (type: string) => relations.find((each) => each.type === type)?.path ?? `${folder}${type}.xml`
  const styles = partOf('styles')
  const texts = partOf('sharedStrings')
  return {
    sheets: childrenOf(childAt(book, 'sheets'), 'sheet').map((sheet) => {
      const relation = relations.find(({ id }) => id === attribute(sheet, 'id'))
      return {
        name: attribute(sheet, 'name') ?? '',
        path:
          /^(?:work|chart)sheet$/.test(relation?.type ?? '') && archive.has(relation!.path)
            ? relation!.path
            : undefined,
        isChart: relation?.type === 'chartsheet',
        hidden: /hidden/i.test(attribute(sheet, 'state') ?? ''),
      }
    }),
    date1904: /^(?:1|true|on)$/.test(attribute(childAt(book, 'workbookPr'), 'date1904') ?? ''),
    styles: archive.has(styles) ? readStyles(await archive.xml(styles)) : [],
    texts: archive.has(texts) ? readTexts(await archive.xml(texts)) : [],
    persons: await commentPersons(archive, relations),
  }
}

/** The parts that a part refers to. @param path empty for the package */
export async function relationsOf(archive: Archive, path: string): Promise<Relation[]> {
  const at = path.lastIndexOf('/') + 1
  const name = `${path.slice(0, at)}_rels/${path.slice(at)}.rels`
  if (!archive.has(name)) return []
  return childrenOf(parseXml(await archive.xml(name)), 'Relationship')
    .filter((each) => attribute(each, 'TargetMode') !== 'External')
    .map((each) => ({
      id: attribute(each, 'Id') ?? '',
      type: (attribute(each, 'Type') ?? '').replace(/^.*\//, ''),
      path: resolvePart(path, attribute(each, 'Target') ?? ''),
    }))
}

function readStyles(xml: string): CellStyle[] {
  const styles = parseXml(xml)
  const custom = new Map(
    childrenOf(childAt(styles, 'numFmts'), 'numFmt').map((each) => [
      Number(attribute(each, 'numFmtId')),
      attribute(each, 'formatCode') ?? '',
    ]),
  )
  const fonts = childrenOf(childAt(styles, 'fonts'), 'font').map((font) => {
    const bold = childAt(font, 'b')
    return bold !== undefined && !/^(?:0|false)$/.test(attribute(bold, 'val') ?? '1')
  })
  return childrenOf(childAt(styles, 'cellXfs'), 'xf').map((each) => {
    const id = Number(attribute(each, 'numFmtId') ?? 0)
    return { format: custom.get(id) || builtInFormat(id), bold: fonts[Number(attribute(each, 'fontId') ?? 0)] ?? false }
  })
}

function readTexts(xml: string): string[] {
  const texts: string[] = []
  let text: string | undefined
  let isPhonetic = false
  let isText = false
  readXmlEvents(xml, {
    open(name) {
      if (name === 'si') text = ''
      else if (name === 'rPh') isPhonetic = true
      isText = name === 't' && !isPhonetic
    },
    close(name) {
      if (name === 'si') texts.push(unescapeText(text ?? ''))
      else if (name === 'rPh') isPhonetic = false
      isText = false
    },
    text(words) {
      if (isText) text += words
    },
  })
  return texts
}

/** `_x000D_` is a carriage return. */
export function unescapeText(text: string): string {
  if (!text.includes('_x')) return text
  return text.replaceAll(/_x([\dA-Fa-f]{4})_/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
}
