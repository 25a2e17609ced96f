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
