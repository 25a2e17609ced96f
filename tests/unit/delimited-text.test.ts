// Delimited text as its tables: delimiters, titles, headers, quotes, encodings.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readCsv } from '../../media/document/readers/csv.ts'
import { tempDir } from '../support/temp-dir.ts'

async function read(bytes: string | Uint8Array) {
  const path = join(tempDir(), 'table.csv')
  writeFileSync(path, bytes)
  return readCsv(path)
}

function table(...rows: string[]): string {
  const [header = '', ...others] = rows.map((row) => `| ${row} |`)
  return [header, `|${' --- |'.repeat(header.split(' | ').length)}`, ...others].join('\n')
}

test.each([
  [
    'semicolons with decimal commas and commas in text',
    'Datum;Betrag;Text\n01.03.2026;-12,50;Miete, Strom\n02.03.2026;100,00;Lohn, Bonus\n',
    table('Datum | Betrag | Text', '01.03.2026 | -12,50 | Miete, Strom', '02.03.2026 | 100,00 | Lohn, Bonus'),
  ],
  [
    'as many decimal commas as semicolons, without a header',
    '2026-03-01;12,5;3,4\n2026-03-02;11,5;2,4\n',
    table(' |  | ', '2026-03-01 | 12,5 | 3,4', '2026-03-02 | 11,5 | 2,4'),
  ],
  ['a semicolon in each row of commas', 'id,tags\n1,a;b\n2,c;d\n', table('id | tags', '1 | a;b', '2 | c;d')],
  ['pipes', 'a|b\n1|2,5\n3|4,5\n', table('a | b', '1 | 2,5', '3 | 4,5')],
  ['tabs', 'a\tb\n1\tx, y\n3\tz\n', table('a | b', '1 | x, y', '3 | z')],
  ['a line that names the delimiter', 'sep=;\r\na;b\r\n1;2\r\n', table('a | b', '1 | 2')],
  ['a quoted line that names an unlikely delimiter', '"sep=#"\na#b\n1#2;3\n', table('a | b', '1 | 2;3')],
  [
    'lines above the table',
    'Preisliste\nStand:;März 2026\n\nArt;Preis;Ort;Land\nKlein;1,50;Köln;DE\nGroß;2,75;Bonn;DE\n',
    `Preisliste\n\nStand: März 2026\n\n${table('Art | Preis | Ort | Land', 'Klein | 1,50 | Köln | DE', 'Groß | 2,75 | Bonn | DE')}`,
  ],
  [
    'a cell of several lines, with quotes',
    'a,b\n"one\ntwo ""three"", four",5\nx,6\n',
    table('a | b', 'one two "three", four | 5', 'x | 6'),
  ],
  ['one cell', 'Town hall\n', 'Town hall'],
  ['one column', 'Town\nSund\nBay\n', table('Town', 'Sund', 'Bay')],
  [
    'header cells that span others',
    'Region,2024,,2025,\n,Q1,Q2,Q1,Q2\nNorth,1,2,3,4\nSouth,5,6,7,8\n',
    table('Region | 2024 Q1 | 2024 Q2 | 2025 Q1 | 2025 Q2', 'North | 1 | 2 | 3 | 4', 'South | 5 | 6 | 7 | 8'),
  ],
  ['a row longer than the header', 'a,b\n1,2,3\n4,5,6\n', table('a | b | ', '1 | 2 | 3', '4 | 5 | 6')],
  [
    'digits and zeros as they are',
    'id,n\n00123,12345678901234567890.10\n',
    table('id | n', '00123 | 12345678901234567890.10'),
  ],
])('%s', async (_, text, markdown) => {
  const [page] = await read(text)
  expect(page!.text).toBe(markdown)
  expect(page!.notices).toBeUndefined()
})

test('a quotation mark without an end does not swallow the rest, and is told', async () => {
  const [page] = await read('part,size\nPipe,"5 inch\n"Tap, long",3\nValve,4\n')
  expect(page!.text).toMatch(/\| Pipe \| "5 inch \|  \|\n[^]*\| Valve \| 4 \|/)
  expect(page!.notices).toMatchObject([{ code: 'uncertain', count: 1 }])
})

test.each(['windows-1252', 'utf-16', 'utf-16le', 'utf-8'])('in %s', async (encoding) => {
  const text = 'Größe;Preis;Ort\r\nKlein;1,50;Köln\r\nGroß;2,75;Münster\r\n'
  const [page] = await read(execFileSync('iconv', ['-f', 'utf-8', '-t', encoding], { input: text }))
  expect(page!.text).toBe(table('Größe | Preis | Ort', 'Klein | 1,50 | Köln', 'Groß | 2,75 | Münster'))
})

test('in Shift_JIS', async () => {
  const text = '商品,価格,港\n小さい切符,150,横浜の港です\n大きい切符,275,神戸の港です\n'
  const [page] = await read(execFileSync('iconv', ['-f', 'utf-8', '-t', 'shift_jis'], { input: text }))
  expect(page!.text).toBe(
    table('商品 | 価格 | 港', '小さい切符 | 150 | 横浜の港です', '大きい切符 | 275 | 神戸の港です'),
  )
})
