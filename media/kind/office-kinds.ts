// Office formats that only LibreOffice reads: what each is converted to, and by which part of LibreOffice.
import { isKeyOf } from './is-key-of.ts'

interface OfficeFormat {
  type: string
  /** In a message to the user, in the plural. */
  name: string
  /** The format that it is converted to. */
  to: 'docx' | 'xlsx' | 'pptx' | 'pdf'
  /** The Debian package, without its prefix. */
  part: 'writer' | 'calc' | 'impress' | 'draw'
}

const format = (name: string, type: string, to: OfficeFormat['to'], part: OfficeFormat['part']): OfficeFormat => ({
  type,
  name,
  to,
  part,
})

export const OFFICE = {
  doc: format('Word documents from before 2007', 'application/msword', 'docx', 'writer'),
  wordxml: format('Word 2003 XML documents', 'application/vnd.ms-wordml', 'docx', 'writer'),
  wps: format('Microsoft Works documents', 'application/vnd.ms-works', 'docx', 'writer'),
  wpd: format('WordPerfect documents', 'application/vnd.wordperfect', 'docx', 'writer'),
  sxw: format('OpenOffice 1 documents', 'application/vnd.sun.xml.writer', 'docx', 'writer'),
  wri: format('Microsoft Write documents', 'application/x-mswrite', 'docx', 'writer'),
  sdw: format('StarOffice documents', 'application/vnd.stardivision.writer', 'docx', 'writer'),
  pages: format('Apple Pages documents', 'application/vnd.apple.pages', 'docx', 'writer'),
  xls: format('Excel workbooks from before 2007', 'application/vnd.ms-excel', 'xlsx', 'calc'),
  xlsb: format('binary Excel workbooks', 'application/vnd.ms-excel.sheet.binary.macroenabled.12', 'xlsx', 'calc'),
  excelxml: format('Excel 2003 XML workbooks', 'application/vnd.ms-excel.xml', 'xlsx', 'calc'),
  sxc: format('OpenOffice 1 spreadsheets', 'application/vnd.sun.xml.calc', 'xlsx', 'calc'),
  sdc: format('StarOffice spreadsheets', 'application/vnd.stardivision.calc', 'xlsx', 'calc'),
  lotus: format('Lotus 1-2-3 and Quattro Pro spreadsheets', 'application/vnd.lotus-1-2-3', 'xlsx', 'calc'),
  numbers: format('Apple Numbers spreadsheets', 'application/vnd.apple.numbers', 'xlsx', 'calc'),
  ppt: format('PowerPoint presentations from before 2007', 'application/vnd.ms-powerpoint', 'pptx', 'impress'),
  sxi: format('OpenOffice 1 presentations', 'application/vnd.sun.xml.impress', 'pptx', 'impress'),
  key: format('Apple Keynote presentations', 'application/vnd.apple.keynote', 'pptx', 'impress'),
  sdd: format('StarOffice presentations and drawings', 'application/vnd.stardivision.draw', 'pdf', 'draw'),
  sxd: format('OpenOffice 1 drawings', 'application/vnd.sun.xml.draw', 'pdf', 'draw'),
  vsd: format('Visio drawings from before 2013', 'application/vnd.visio', 'pdf', 'draw'),
  vsdx: format('Visio drawings', 'application/vnd.ms-visio.drawing.main+xml', 'pdf', 'draw'),
  pub: format('Publisher publications', 'application/x-mspublisher', 'pdf', 'draw'),
} as const satisfies Record<string, OfficeFormat>

export type OfficeKind = keyof typeof OFFICE

export const isOfficeKind = isKeyOf(OFFICE)
