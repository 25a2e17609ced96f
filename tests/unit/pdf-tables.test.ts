// Ruled tables and columns of PDF pages, where liteparse alone mixes up their cells or lines.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ParsedPage, TextItem } from '@llamaindex/liteparse'
import { expect, it } from 'vitest'
import { readPdf } from '../../media/document/pdf-engines.ts'
import { gridsOf } from '../../media/document/pdf-grids.ts'
import { relaidPage } from '../../media/document/pdf-layout.ts'
import { tablesOf } from '../../media/document/pdf-tables.ts'
import { pdf, type PlacedPage } from '../support/pdf.ts'
import { tempDir } from '../support/temp-dir.ts'

type Segment = [number, number, number, number]

async function textOf(page: PlacedPage): Promise<string> {
  const path = join(tempDir(), 'page.pdf')
  writeFileSync(path, pdf([page]))
  const { pages } = await readPdf(path, { from: 1, to: 1 }, 'liteparse')
  return pages[0]!.text
}

/** Lines of a table: across at `ys`, down at `xs`, unless a line is left out. */
function ruled(xs: number[], ys: number[], isLeftOut: (segment: Segment) => boolean = () => false): Segment[] {
  const across = ys.flatMap((y) => xs.slice(1).map((x, index): Segment => [xs[index]!, y, x, y]))
  const down = xs.flatMap((x) => ys.slice(1).map((y, index): Segment => [x, ys[index]!, x, y]))
  return [...across, ...down].filter((segment) => !isLeftOut(segment))
}

const PROSE = 'These words of running text fill the whole line'
const column = (x: number, name: string, from = 0, to = 40) =>
  Array.from({ length: to - from }, (_, index) => ({
    x,
    y: 780 - (from + index) * 14,
    text: `${name} ${from + index}. ${PROSE}`,
  }))

it('a table in one of two columns is whole, and both columns are read one after the other', async () => {
  const cells = [
    ['Group', 'Before', 'After'],
    ['Ferry', '1st class', '2nd class'],
    ['Harbour pilots', '6 of 17', '17 of 17'],
  ]
  const xs = [40, 120, 200, 290]
  const table = cells.flatMap((row, line) => row.map((text, at) => ({ x: xs[at]! + 4, y: 440 - line * 28, text })))
  const words = [...column(40, 'L', 0, 22), ...table, ...column(40, 'L', 30), ...column(310, 'R')]
  const text = await textOf({
    words: words.map((word) => ({ ...word, size: 8 })),
    lines: ruled(xs, [456, 428, 400, 372]),
  })
  expect(text).toContain(
    '| Group | Before | After |\n|---|---|---|\n| Ferry | 1st class | 2nd class |\n| Harbour pilots | 6 of 17 | 17 of 17 |',
  )
  const names = [...text.matchAll(/\b([LR]) \d+\./g)].map(([, name]) => name).join('')
  expect(names).toBe('L'.repeat(32) + 'R'.repeat(40))
  expect(text.indexOf('| Group')).toBeGreaterThan(text.indexOf('L 21.'))
  expect(text.indexOf('| Group')).toBeLessThan(text.indexOf('L 30.'))
})

it('a merged cell stands in each place that it covers, and a title over the whole width before the table', async () => {
  const xs = [72, 172, 272, 372]
  const ys = [700, 676, 652, 628, 604]
  const isWithin = ([x, y, x2, y2]: Segment) =>
    // The title, "2024" over two columns, and "North" in two rows.
    (x === x2 && [172, 272].includes(x) && y === 700) ||
    (x === 272 && x2 === 272 && y === 676) ||
    (y === 628 && y2 === 628 && x === 72)
  const words = [
    { x: 160, y: 684, text: 'Sales by region' },
    { x: 80, y: 660, text: 'Region' },
    { x: 180, y: 660, text: '2024' },
    ...['North', '21', '22'].map((text, at) => ({ x: xs[at]! + 8, y: at === 0 ? 624 : 636, text })),
    ...['23', '24'].map((text, at) => ({ x: xs[at + 1]! + 8, y: 612, text })),
  ]
  expect(await textOf({ words, lines: ruled(xs, ys, isWithin) })).toBe(
    'Sales by region\n\n| Region | 2024 | 2024 |\n|---|---|---|\n| North | 21 | 22 |\n| North | 23 | 24 |',
  )
})

it('a table open at its sides, with lines between some rows only, has all its rows', async () => {
  const rows = [
    ['State', 'Permits', 'Total'],
    ['Alaska', '209', '7,095'],
    ['Arizona', '2,303', '27,087'],
    ['Florida', '15,907', '103,532'],
    ['Georgia', '14,111', '50,795'],
  ]
  const xs = [72, 172, 272, 372]
  const words = rows.flatMap((row, line) => row.map((text, at) => ({ x: xs[at]! + 8, y: 684 - line * 18, text })))
  const isOpen = ([x, , x2]: Segment) => x === x2 && (x === 72 || x === 372)
  const text = await textOf({ words, lines: ruled(xs, [700, 678, 642, 606], isOpen) })
  expect(text.split('\n').filter((line) => !line.startsWith('|-'))).toEqual(rows.map((row) => `| ${row.join(' | ')} |`))
})

it('words of two cells that are written as one piece are in their cells', async () => {
  const xs = [72, 132, 232]
  const words = [
    { x: 76, y: 684, text: 'Name        Type' },
    { x: 76, y: 660, text: 'USER_ID     VARCHAR(10)' },
  ]
  const text = await textOf({ words, lines: ruled(xs, [700, 676, 652]) })
  expect(text).toBe('| Name | Type |\n|---|---|\n| USER_ID | VARCHAR(10) |')
})

it('boxes of many sizes are no table, and a drawing of many lines is not looked at', () => {
  const rows = [0, 1, 2, 3, 4]
  const segments = rows.flatMap((row) => ruled([72, 112 + row * 50, 372], [100 + row * 30, 130 + row * 30]))
  const lines = segments.map(([x1, y1, x2, y2]) => ({ x1, y1, x2, y2 }))
  const words = rows.flatMap((row) =>
    [80, 340].map((x) => ({ text: `Box ${row}`, x, y: 110 + row * 30, width: 20, height: 10 })),
  )
  expect(gridsOf(lines)[0]!.cells).toHaveLength(10)
  expect(tablesOf(lines, words)).toEqual([])
  const many = Array.from({ length: 5_000 }, (_, index) => ({ x1: 0, x2: 100, y1: index * 5, y2: index * 5 }))
  expect(gridsOf(many)).toEqual([])
})

it('two columns of which liteparse makes a table are read one after the other; a table of such rows stays', () => {
  const line = (x: number, y: number, text: string): TextItem => ({ text, x, y, width: text.length * 4, height: 8 })
  const pageOf = (texts: (index: number) => [string, string]) => {
    const rows = Array.from({ length: 20 }, (_, index) => texts(index))
    const bbox = { x: 40, y: 100, width: 500, height: 400 }
    return {
      pageNum: 1,
      width: 595,
      height: 842,
      text: '',
      markdown: '',
      textItems: rows.flatMap(([left, right], index) => [
        line(40, 100 + index * 20, left),
        line(330, 100 + index * 20, right),
      ]),
      blocks: [{ kind: 'table', rows: rows.map((row) => row.map((text) => ({ text }))), bbox }],
    } as unknown as ParsedPage
  }
  const text = relaidPage(pageOf((index) => [`L ${index}. ${PROSE}`, `R ${index}. ${PROSE}`]))
  const names = [...text!.matchAll(/\b([LR]) \d+\./g)].map(([, name]) => name).join('')
  expect(names).toBe('L'.repeat(20) + 'R'.repeat(20))
  expect(relaidPage(pageOf((index) => [`Term ${index}`, `R ${index}. ${PROSE}`]))).toBeUndefined()
})
