// What is laid out on a page of a PDF keeps its order and its form: columns one after the other, tables as tables.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { blocksOf } from '../../media/document/blocks.ts'
import { parsePages } from '../../media/document/parse-document.ts'
import { pdf, type PlacedPage } from '../support/pdf.ts'
import { tempDir } from '../support/temp-dir.ts'

const limits = { memory_mb: 512, time_ms: 30_000, output_bytes: 8_000_000, max_pages: 10 }

async function read(page: PlacedPage) {
  const path = join(tempDir(), 'page.pdf')
  writeFileSync(path, pdf([page]))
  const [parsed] = await parsePages(path, { from: 1, to: 1 }, { limits, signal: new AbortController().signal })
  return parsed!
}

const ROWS = [
  ['Boat', 'Length', 'Fee'],
  ['Gull', '7 m', '30'],
  ['Tern', '9 m', '45'],
  ['Heron', '12 m', '80'],
]
const LEFT = [72, 220, 360]
const TOP = 700
const STEP = 24
const cells = ROWS.flatMap((row, line) => row.map((text, column) => ({ x: LEFT[column]!, y: TOP - line * STEP, text })))

test('a table with ruled lines is a table', async () => {
  const [right, bottom] = [480, TOP + 16 - ROWS.length * STEP]
  const across = [...ROWS, 0].map((_, line): [number, number, number, number] => {
    const y = TOP + 16 - line * STEP
    return [64, y, right, y]
  })
  const down = [64, 212, 352, right].map((x): [number, number, number, number] => [x, TOP + 16, x, bottom])
  const page = await read({ words: cells, lines: [...across, ...down] })
  expect(blocksOf(page)).toMatchObject([{ type: 'table', header: true, rows: ROWS }])
})

test('a table without lines is a table', async () => {
  expect(blocksOf(await read({ words: cells }))).toMatchObject([{ type: 'table', header: true, rows: ROWS }])
})

test('columns are read one after the other', async () => {
  const column = (x: number, name: string) =>
    Array.from({ length: 30 }, (_, line) => ({
      x,
      y: 760 - line * 14,
      text: `${name} column, line ${line + 1}, goes on and on.`,
    }))
  // Drawn line by line across both, as many programs do.
  const right = column(320, 'Right')
  const { text } = await read({ words: column(60, 'Left').flatMap((word, line) => [word, right[line]!]) })
  const order = [...text.matchAll(/(Left|Right) column, line (\d+)/g)].map(([, name, line]) => `${name} ${line}`)
  const lines = Array.from({ length: 30 }, (_, index) => index + 1)
  expect(order).toEqual([...lines.map((line) => `Left ${line}`), ...lines.map((line) => `Right ${line}`)])
})
