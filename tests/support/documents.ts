// Documents of the formats that people send, each about the same ferry, written by libraries that write them or zipped from a few lines of XML.
import {
  Document,
  FootnoteReferenceRun,
  Footer,
  Header,
  HeadingLevel,
  Packer,
  PageBreak,
  Paragraph,
  Table,
  TableCell,
  TableRow,
  TextRun,
} from 'docx'
import ExcelJS from 'exceljs'
import { zipSync } from 'fflate'
import PptxGenJS from 'pptxgenjs'

export const FARES = [
  ['Passenger', 'Fare', 'Since'],
  ['Adult', '42', '2024-03-01'],
  ['Child', '17', '2025-11-15'],
  ['Bicycle | tandem', '8', '2023-06-30'],
]

/** A title, two pages, a list, a table, a footnote, a header and a footer. */
export function docx(): Promise<Buffer> {
  const row = (cells: string[]) =>
    new TableRow({ children: cells.map((text) => new TableCell({ children: [new Paragraph(text)] })) })
  const item = (text: string) => new Paragraph({ text, bullet: { level: 0 } })
  return Packer.toBuffer(
    new Document({
      footnotes: { 1: { children: [new Paragraph('Except on the day of the regatta.')] } },
      sections: [
        {
          headers: { default: new Header({ children: [new Paragraph('Sund Ferries & Sons')] }) },
          footers: { default: new Footer({ children: [new Paragraph('Printed in Sund')] }) },
          children: [
            new Paragraph({ text: 'The Ferry Handbook', heading: HeadingLevel.TITLE }),
            new Paragraph({ text: 'Timetable', heading: HeadingLevel.HEADING_1 }),
            new Paragraph({
              children: [
                new TextRun('The ferry to Sund leaves at '),
                new TextRun({ text: '7:40', bold: true }),
                new TextRun('.'),
                new FootnoteReferenceRun(1),
              ],
            }),
            item('Bring a warm coat'),
            item('Dogs travel free'),
            new Paragraph({ children: [new PageBreak()] }),
            new Paragraph({ text: 'Fares', heading: HeadingLevel.HEADING_1 }),
            new Table({ rows: FARES.map(row) }),
          ],
        },
      ],
    }),
  )
}

export function html(): Buffer {
  const rows = FARES.map((cells, index) => {
    const name = index === 0 ? 'th' : 'td'
    return `<tr>${cells.map((cell) => `<${name}>${cell}</${name}>`).join('')}</tr>`
  })
  return Buffer.from(
    `<!doctype html><html><head><title>Ferries</title><script>alert('no')</script></head><body><nav><a href="/">Home</a></nav>
    <h1>The Ferry Handbook</h1><p>The ferry to Sund leaves at <b>7:40</b>.</p><ul><li>Dogs travel free</li></ul>
    <table>${rows.join('')}</table></body></html>`,
  )
}

export function csv(delimiter = ','): Buffer {
  return Buffer.from(FARES.map((row) => row.join(delimiter)).join('\r\n'))
}

/** An archive of parts, the first of them stored as it is. */
export function zip(parts: Record<string, string | Uint8Array>): Buffer {
  const entries = Object.entries(parts).map(([name, part], index) => {
    return [name, [Buffer.from(part as string), { level: index === 0 ? 0 : 6 }]] as const
  })
  return Buffer.from(zipSync(Object.fromEntries(entries) as never))
}

/** Two sheets and a hidden one: dates, a formula with its result, text that is formatted within a cell. */
export async function xlsx(): Promise<Buffer> {
  const book = new ExcelJS.Workbook()
  const fares = book.addWorksheet('Fares')
  fares.addRow([...FARES[0]!, 'Twice'])
  for (const [index, [who, fare, since]] of FARES.slice(1).entries())
    fares.addRow([who, Number(fare), new Date(since!), { formula: `B${index + 2}*2`, result: Number(fare) * 2 }])
  fares.getColumn(3).numFmt = 'dd/mm/yyyy'
  book.addWorksheet('Crew').addRows([
    ['Name', 'Aboard since'],
    [{ richText: [{ text: 'Ada', font: { bold: true } }, { text: ' Sund' }] }, new Date('2019-05-06T06:30:00Z')],
  ])
  book.getWorksheet('Crew')!.getCell('B2').numFmt = 'yyyy-mm-dd hh:mm'
  book.addWorksheet('Wages', { state: 'hidden' }).addRow(['Nobody may see this'])
  return Buffer.from(await book.xlsx.writeBuffer())
}

/** Two slides with a list, a table and notes, and a hidden one. */
export async function pptx(): Promise<Buffer> {
  const deck = new PptxGenJS()
  deck.defineSlideMaster({
    title: 'FERRY',
    objects: [{ placeholder: { options: { name: 'title', type: 'title', x: 1, y: 0, w: 8, h: 1 }, text: '' } }],
  })
  const first = deck.addSlide({ masterName: 'FERRY' })
  first.addText('The ferry to Sund leaves at 7:40.', { x: 1, y: 1, w: 8, h: 1 })
  first.addText([{ text: 'Dogs travel free', options: { bullet: true } }], { x: 1, y: 3, w: 8, h: 1 })
  first.addText('The Ferry Handbook', { placeholder: 'title' })
  first.addNotes('Greet the captain.')
  const second = deck.addSlide({ masterName: 'FERRY' })
  second.addText('Fares', { placeholder: 'title' })
  second.addTable(
    FARES.map((row) => row.map((text) => ({ text }))),
    { x: 1, y: 2, w: 8 },
  )
  deck.addSlide().hidden = true
  return (await deck.write({ outputType: 'nodebuffer' })) as Buffer
}

const cells = (name: string, row: readonly string[]) =>
  row.map((cell) => `<${name}><text:p>${xml(cell)}</text:p></${name}>`).join('')
const table = (rows: readonly (readonly string[])[], extra = '') =>
  `<table:table table:name="Fares"${extra}>${rows.map((row) => `<table:table-row>${cells('table:table-cell', row)}</table:table-row>`).join('')}</table:table>`
const xml = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

/** An OpenDocument with this in its body. */
export function openDocument(type: 'text' | 'spreadsheet' | 'presentation', body: string): Buffer {
  const names = ['office', 'text', 'table', 'draw', 'style', 'fo', 'presentation', 'svg']
  const spaces = names.map((name) => `xmlns:${name}="urn:oasis:names:tc:opendocument:xmlns:${name}:1.0"`).join(' ')
  const styles =
    '<style:style style:name="Next" style:family="paragraph"><style:paragraph-properties fo:break-before="page"/></style:style>' +
    '<style:style style:name="Gone" style:family="table"><style:table-properties table:display="false"/></style:style>' +
    '<style:style style:name="Off" style:family="drawing-page"><style:drawing-page-properties presentation:visibility="hidden"/></style:style>'
  return zip({
    mimetype: `application/vnd.oasis.opendocument.${type}`,
    'content.xml': `<?xml version="1.0" encoding="UTF-8"?><office:document-content ${spaces}><office:automatic-styles>${styles}</office:automatic-styles><office:body><office:${type}>${body}</office:${type}></office:body></office:document-content>`,
    'META-INF/manifest.xml': '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
  })
}

/** A title, two pages, nested lists, a footnote, deleted text, a picture with words, a table. */
export function odt(): Buffer {
  return openDocument(
    'text',
    `<text:tracked-changes><text:p>This was deleted.</text:p></text:tracked-changes>
    <text:p text:style-name="Title">The Ferry Handbook</text:p><text:h text:outline-level="1">Timetable</text:h>
    <text:p>The ferry to<text:s/><text:span>Sund leaves at 7:40</text:span>.<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>Except on the day of the regatta.</text:p></text:note-body></text:note></text:p>
    <text:list><text:list-item><text:p>Animals</text:p><text:list><text:list-item><text:p>Dogs travel free</text:p></text:list-item></text:list></text:list-item></text:list>
    <text:p><draw:frame><draw:image/><svg:desc>The pier at dawn</svg:desc></draw:frame></text:p>
    <text:h text:outline-level="1" text:style-name="Next">Fares</text:h>${table(FARES)}`,
  )
}

/** A sheet with dates and with a million empty rows, and a hidden one. */
export function ods(): Buffer {
  const [head, ...others] = FARES
  const rows = others.map(
    ([who, fare, since]) =>
      `<table:table-row>${cells('table:table-cell', [who!, fare!])}<table:table-cell office:date-value="${since}T00:00:00"><text:p>some day</text:p></table:table-cell><table:table-cell table:number-columns-repeated="16381"/></table:table-row>`,
  )
  const empty =
    '<table:table-row table:number-rows-repeated="1048572"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
  return openDocument(
    'spreadsheet',
    `<table:table table:name="Fares"><table:table-row>${cells('table:table-cell', head!)}</table:table-row>${rows.join('')}${empty}</table:table>` +
      table([['Nobody may see this']], ' table:style-name="Gone"'),
  )
}

export function odp(): Buffer {
  const frame = (text: string, kind = '') =>
    `<draw:frame${kind && ` presentation:class="${kind}"`}><draw:text-box><text:p>${text}</text:p></draw:text-box></draw:frame>`
  return openDocument(
    'presentation',
    `<draw:page>${frame('The Ferry Handbook', 'title')}${frame('The ferry to Sund leaves at 7:40.')}<presentation:notes>${frame('Greet the captain.')}</presentation:notes></draw:page>
    <draw:page>${frame('Fares', 'title')}<draw:frame>${table(FARES)}</draw:frame></draw:page>
    <draw:page draw:style-name="Off">${frame('Nobody may see this')}</draw:page>`,
  )
}

/** As Word writes it: letters of Cyrillic by code page and by Unicode with a byte beside it, a table, a footnote, two pages. */
export function rtf(): Buffer {
  const row = (cells: string[]) =>
    `\\trowd\\cellx2000\\cellx4000\\cellx6000\\pard\\intbl ${cells.map((cell) => `${cell}\\cell `).join('')}\\row\n`
  return Buffer.from(
    `{\\rtf1\\ansi\\ansicpg1252\\deff0\\uc1{\\fonttbl{\\f0\\fcharset0 Arial;}{\\f1\\fcharset204 Arial CYR;}}
{\\stylesheet{\\s0 Normal;}{\\s1 heading 1;}}{\\info{\\title Nobody may see this}}{\\*\\generator Nobody;}
\\pard\\plain\\s1\\outlinelevel0 The Ferry Handbook\\par
\\pard\\plain The f\\'e4hre to Sund leaves at {\\b 7:40}\\emdash every day.{\\footnote\\pard\\plain Except on the day of the regatta.}\\par
{\\f1\\'cf\\'e0\\'f0\\'ee\\'ec} \\u1074\\'e2 \\u1057\\'d1\\u1091\\'f3\\u1085\\'ed\\u1076\\'e4 costs 8 \\u8364\\'80 or \\u8364? 9\\par
\\pard{\\pntext\\f0\\'B7\\tab}Dogs travel free\\par
\\pard\\page\\pard\\plain\\s1\\outlinelevel0 Fares\\par
${FARES.map(row).join('')}\\pard\\plain End.\\par}`,
    'latin1',
  )
}

/** Two chapters that the table of contents names, and what is no chapter. @param second where the second one is said to be */
export function epub(second = 'text/fares%20now.xhtml'): Buffer {
  const page = (body: string) =>
    `<?xml version="1.0"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head><body>${body}</body></html>`
  const rows = FARES.map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join('')}</tr>`).join('')
  return zip({
    mimetype: 'application/epub+zip',
    'META-INF/container.xml':
      '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
    'OEBPS/book.opf': `<package xmlns="http://www.idpf.org/2007/opf"><manifest>
      <item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/><item id="two" href="${second}" media-type="application/xhtml+xml"/>
      <item id="one" href="text/one.xhtml" media-type="application/xhtml+xml"/><item id="css" href="a.css" media-type="text/css"/></manifest>
      <spine><itemref idref="one"/><itemref idref="nav"/><itemref idref="gone"/><itemref idref="two"/></spine></package>`,
    'OEBPS/nav.xhtml': page(
      '<nav><ol><li><a href="text/one.xhtml">Timetable</a></li><li><a href="text/fares%20now.xhtml#top">What it costs</a></li><li><a href="nav.xhtml">Contents</a></li></ol></nav>',
    ),
    'OEBPS/text/one.xhtml': page(
      '<h1>The Ferry Handbook</h1><p>The ferry to Sund leaves at 7:40.</p><p>Dogs travel free.</p>',
    ),
    'OEBPS/text/fares now.xhtml': page(`<h1>Fares</h1><table>${rows}</table>`),
  })
}

export function json(): Buffer {
  const [names, ...rows] = FARES
  const fares = rows.map((row) => Object.fromEntries(names!.map((name, index) => [name, row[index]])))
  return Buffer.from(
    JSON.stringify({ title: 'The Ferry Handbook', leaves: '7:40', animals: ['Dogs travel free'], fares }),
  )
}

/** A letter in two alternatives, quoted-printable, with a file. */
export function eml(): Buffer {
  const lines = [
    'From: =?utf-8?Q?K=C3=A4pten_Ada?= <ada@example.org>',
    'To: Bo <bo@example.org>, Cy <cy@example.org>',
    'Subject: The Ferry Handbook',
    'Date: Fri, 01 Mar 2024 08:00:00 +0100',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary=outer',
    '',
    '--outer',
    'Content-Type: multipart/alternative; boundary=inner',
    '',
    '--inner',
    'Content-Type: text/plain; charset=utf-8',
    '',
    'See the other part.',
    '--inner',
    'Content-Type: text/html; charset=utf-8',
    'Content-Transfer-Encoding: quoted-printable',
    '',
    '<p>The ferry to Sund leaves at 7:40. Dogs travel =E2=80=9Cfree=E2=80=9D.</p>=',
    `<table>${FARES.map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join('')}</tr>`).join('')}</table>`,
    '--inner--',
    '--outer',
    'Content-Type: text/plain; name=oars.txt',
    'Content-Disposition: attachment; filename=oars.txt',
    '',
    'Twelve oars.',
    '--outer--',
    '',
  ]
  return Buffer.from(lines.join('\r\n'))
}

export interface MailFile {
  name: string
  type: string
  bytes: Uint8Array
  disposition?: 'attachment' | 'inline'
  /** Of a picture that the body shows. */
  cid?: string
}

/** A mail as most programs write one: the body and its pictures together, the files behind. */
export function mail({ subject, html }: { subject: string; html: string }, files: MailFile[]): Buffer {
  const part = ({ name, type, bytes, cid, disposition = cid === undefined ? 'attachment' : 'inline' }: MailFile) => [
    `Content-Type: ${type}; name="${name}"`,
    `Content-Disposition: ${disposition}; filename="${name}"`,
    'Content-Transfer-Encoding: base64',
    ...(cid === undefined ? [] : [`Content-ID: <${cid}>`]),
    '',
    Buffer.from(bytes).toString('base64').replaceAll(/.{76}/g, '$&\r\n'),
  ]
  const shown = files.filter(({ cid }) => cid !== undefined)
  const sent = files.filter(({ cid }) => cid === undefined)
  const lines = [
    'From: Ada <ada@example.org>',
    'To: Bo <bo@example.org>',
    `Subject: ${subject}`,
    'Date: Fri, 01 Mar 2024 08:00:00 +0100',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary=outer',
    '',
    '--outer',
    'Content-Type: multipart/related; boundary=inner',
    '',
    '--inner',
    'Content-Type: text/html; charset=utf-8',
    '',
    html,
    ...shown.flatMap((file) => ['--inner', ...part(file)]),
    '--inner--',
    ...sent.flatMap((file) => ['--outer', ...part(file)]),
    '--outer--',
    '',
  ]
  return Buffer.from(lines.join('\r\n'))
}
