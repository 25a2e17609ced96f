// Tables without lines, from the places of their words: in scans, and on pages that are laid out by place.
import { expect, it } from 'vitest'
import { alignedTables } from '../../media/document/aligned-rows.ts'
import { toRecognized } from '../../media/image/recognized-text.ts'

const word = (text: string, x: number, y: number) => ({ text, x, y, width: text.length * 10, height: 20 })
const rows = [
  ['Boat', 'Length', 'Fee'],
  ['Gull', '7 m', '30'],
  ['Tern', '9 m', '1,450.00'],
  ['Old heron', '12 m', '80'],
]
const LEFT = [100, 300, 500]

it('rows whose cells stand in columns are a table; one or two of them, and two columns of text, are none', () => {
  const cells = rows.flatMap((row, line) => row.map((text, column) => word(text, LEFT[column]!, 100 + line * 30)))
  const [table, ...others] = alignedTables([word('Harbour fees of the year', 100, 40), ...cells])
  expect(others).toEqual([])
  expect(table!.rows).toEqual(rows)
  expect(alignedTables(cells.slice(0, 6))).toEqual([])
  const prose = [0, 1, 2, 3, 4].flatMap((line) =>
    [100, 700].map((x) => word('running text that fills its column of the page', x, 100 + line * 30)),
  )
  expect(alignedTables(prose)).toEqual([])
})

it('a table that Tesseract reads column by column is read row by row, with its confidence and place', () => {
  const bbox = (x0: number, y0: number, x1: number, y1: number) => ({ x0, y0, x1, y1 })
  const lineOf = (text: string, x: number, y: number) => {
    const words = text.split(' ').map((each, index) => {
      const start = x + text.split(' ').slice(0, index).join(' ').length * 10 + (index > 0 ? 10 : 0)
      return { text: each, confidence: 90, bbox: bbox(start, y, start + each.length * 10, y + 20) }
    })
    return { text: `${text}\n`, words, bbox: bbox(x, y, x + text.length * 10, y + 20) }
  }
  const paragraph = (lines: ReturnType<typeof lineOf>[]) => ({ lines, confidence: 80, bbox: lines[0]!.bbox })
  const columns = LEFT.map((x, column) => paragraph(rows.map((row, line) => lineOf(row[column]!, x, 100 + line * 30))))
  const title = paragraph([lineOf('Harbour fees of the year', 100, 40)])
  const page = { confidence: 88, blocks: [{ paragraphs: [title, ...columns] }] } as unknown as Parameters<
    typeof toRecognized
  >[0]
  expect(toRecognized(page, 0)).toEqual({
    text: `Harbour fees of the year\n\n| ${rows[0]!.join(' | ')} |\n|---|---|---|\n${rows
      .slice(1)
      .map((row) => `| ${row.join(' | ')} |`)
      .join('\n')}`,
    confidence: 88,
    turned: 0,
    paragraphs: [
      { confidence: 80, box: [100, 40, 340, 60] },
      { confidence: 90, box: [100, 100, 580, 210] },
    ],
  })
})
