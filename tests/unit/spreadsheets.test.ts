// Spreadsheets of Excel as the application shows them.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { chunkPages } from '../../media/document/chunk.ts'
import { readXlsx } from '../../media/document/readers/xlsx.ts'
import { chart } from '../support/presentation.ts'
import { type Cell, workbook, type SheetSource } from '../support/workbook.ts'
import { tempDir } from '../support/temp-dir.ts'

function read(sheets: SheetSource[], options?: { date1904?: boolean }) {
  const path = join(tempDir(), 'book.xlsx')
  writeFileSync(path, workbook(sheets, options))
  return readXlsx(path)
}

/** The rows of a table, without its rule. */
function rowsOf(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('|') && !line.includes('---'))
    .map((line) => line.slice(2, -2))
}

const QUARTERS: Cell[][] = [
  ['Region', 2024, null, 2025, null],
  [null, 'Q1', 'Q2', 'Q1', 'Q2'],
  ['North', 11, 12, 13, 14],
  [null, 21, 22, 23, 24],
  ['South', 31, 32, 33, 34],
  ...Array.from({ length: 200 }, (_, index): Cell[] => [`Town ${index}`, index, index, index, index]),
]

test('merged header cells are joined with those below, and merged cells carry their value', async () => {
  const [page] = await read([{ rows: QUARTERS, merged: ['A1:A2', 'B1:C1', 'D1:E1', 'A3:A4'] }])
  expect(rowsOf(page!.text).slice(0, 4)).toEqual([
    'Region | 2024 Q1 | 2024 Q2 | 2025 Q1 | 2025 Q2',
    'North | 11 | 12 | 13 | 14',
    'North | 21 | 22 | 23 | 24',
    'South | 31 | 32 | 33 | 34',
  ])
})

test('every chunk of a sheet repeats its header, also one of numbers', async () => {
  const pages = await read([
    { rows: QUARTERS, merged: ['A1:A2', 'B1:C1', 'D1:E1', 'A3:A4'] },
    { rows: [['Region', 2024, 2025], ...QUARTERS.slice(4).map((row) => row.slice(0, 3))] },
  ])
  const chunks = chunkPages(pages.map((page, index) => ({ ...page, page: index + 1 })))
  expect(chunks.length).toBeGreaterThan(6)
  for (const { text } of chunks) expect(text).toMatch(/^\| Region \| 2024( Q1)? \| .*\n\| --- /)
})

describe('the header', () => {
  test.each([
    [
      'words above values',
      [
        ['Item', 'Price'],
        ['Bolt', 12],
        ['Nut', 5],
      ],
      'Item | Price',
    ],
    [
      'years above values',
      [
        ['Region', 2023, 2024],
        ['North', 5, 7],
        ['South', 6, 8],
      ],
      'Region | 2023 | 2024',
    ],
    [
      'an empty corner',
      [
        [null, 1, 2],
        ['a', 5, 7],
        ['b', 6, 8],
      ],
      ' | 1 | 2',
    ],
    [
      'no header: all values',
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      ' | ',
    ],
    [
      'no header: a row as the others',
      [
        ['Bolt', 12, 2020],
        ['Nut', 5, 2021],
        ['Pin', 7, 2022],
      ],
      ' |  | ',
    ],
    [
      'no header: a missing value',
      [
        ['Bolt', 'n/a', 3],
        ['Nut', 5, 4],
        ['Pin', 7, 5],
      ],
      ' |  | ',
    ],
  ] as [string, Cell[][], string][])('%s', async (_, rows, header) => {
    const [page] = await read([{ rows }])
    expect(rowsOf(page!.text)[0]).toBe(header)
  })

  test('frozen rows, the row of a filter and bold rows are headers', async () => {
    const rows = [
      [3, 'a'],
      [4, 'b'],
      [5, 'c'],
    ]
    for (const sheet of [{ frozen: 1 }, { filter: 'A1:B3' }, { bold: [0] }]) {
      const [page] = await read([{ rows, ...sheet }])
      expect(rowsOf(page!.text)[0]).toBe('3 | a')
    }
  })

  test('titles stand above the table, and two tables have their own headers', async () => {
    const [page] = await read([
      {
        rows: [
          ['Sales of 2024'],
          [],
          ['Item', 'Price'],
          ['Bolt', 12],
          [],
          ['Nut', 5],
          [],
          ['Town', 'People'],
          ['Sund', 900],
        ],
      },
    ])
    expect(page!.text).toBe(
      'Sales of 2024\n\n| Item | Price |\n| --- | --- |\n| Bolt | 12 |\n| Nut | 5 |\n\n| Town | People |\n| --- | --- |\n| Sund | 900 |',
    )
  })
})

test('a formula without a stored value is shown, and its cell is named', async () => {
  const rows: Cell[][] = [
    ['Item', 'Price', 'Total'],
    ['Bolt', 12, { formula: 'B2*3' }],
    ['Nut', 5, { formula: 'B3*3', value: '15' }],
    ['Screw', 7, { formula: '1/0', value: '#DIV/0!', type: 'e' }],
    ['Pin', 8, { formula: 'B5*$B$2+SUM(B$2:B5)', shared: 0 }],
    ['Cap', 9, { formula: '', shared: 0 }],
    ['Lid', 9, { formula: 'A2&""', value: '', type: 'str' }],
  ]
  const [page] = await read([{ name: 'Costs', rows }])
  expect(rowsOf(page!.text).slice(1)).toEqual([
    'Bolt | 12 | =B2*3',
    'Nut | 5 | 15',
    'Screw | 7 | #DIV/0!',
    'Pin | 8 | =B5*$B$2+SUM(B$2:B5)',
    'Cap | 9 | =B6*$B$2+SUM(B$2:B6)',
    'Lid | 9 | ',
  ])
  expect(page!.notices).toEqual([
    {
      code: 'not_read',
      message: 'Formulas without a stored value are shown as formulas',
      count: 3,
      places: ['Sheet Costs, C2', 'Sheet Costs, C5', 'Sheet Costs, C6'],
    },
  ])
})

test.each([
  ['1900', false, 45_352],
  ['1904', true, 43_890],
])('dates and times count from %s', async (_, date1904, day) => {
  const rows: Cell[][] = [
    ['When'],
    [{ value: day, format: 14 }],
    [{ value: 0.5, format: 20 }],
    [{ value: 1.5, format: 46 }],
    [{ value: day + 0.99, format: 14 }],
    [{ value: -1, format: 14 }],
  ]
  const [page] = await read([{ rows }], { date1904 })
  expect(rowsOf(page!.text)).toEqual(['When', '2024-03-01', '12:00', '36:00:00', '2024-03-01', '-1'])
})

test('hidden sheets, rows and columns are left out and named', async () => {
  const rows = [
    ['Item', 'Secret', 'Price'],
    ['Bolt', 'x', 12],
    ['Nut', 'y', 5],
    ['Pin', 'z', 7],
    ['Cap', 'w', 8],
  ]
  const [page] = await read([
    { name: 'Costs', rows, hiddenRows: [2, 3], hiddenColumns: [1] },
    { name: 'Wages', rows, hidden: true },
  ])
  expect(rowsOf(page!.text)).toEqual(['Item | Price', 'Bolt | 12', 'Cap | 8'])
  expect(page!.notices).toEqual([
    { code: 'left_out', message: 'Hidden sheets are left out', count: 1, places: ['Sheet Wages'] },
    { code: 'left_out', message: 'Hidden rows are left out', count: 2, places: ['Sheet Costs, rows 3-4'] },
    { code: 'left_out', message: 'Hidden columns are left out', count: 1, places: ['Sheet Costs, column B'] },
  ])
})

test('comments, charts and text boxes stand below the cells; pictures are named for OCR', async () => {
  const pages = await read([
    {
      name: 'Costs',
      rows: [
        ['Item', 'Price'],
        ['Bolt', 12],
      ],
      comments: { B2: 'Bo: Too much?' },
      threads: { A2: 'Which one?' },
      boxes: ['Draft'],
      charts: [chart('line', [{ name: 'Price', categories: ['Bolt'], values: [12] }]), chart('pie', [])],
      pictures: 1,
    },
    { name: 'Trend', rows: [], isChart: true, charts: [chart('bar', [{ categories: ['May'], values: [3] }])] },
  ])
  expect(pages.map(({ text }) => text)).toEqual([
    expect.stringMatching(
      /\| Bolt \| 12 \|\n\nDraft\n\n\*\*Line chart\*\*\n\n\| {2}\| Price \|\n.*\n\| Bolt \| 12 \|\n\n\*\*Comments:\*\*\n\n- B2, Bo: Too much\?\n- A2, Ada Sund, 2026-06-18T17:12:37.41: Which one\?$/,
    ),
    expect.stringMatching(/^\*\*Bar chart\*\*[^]*\| May \| 3 \|$/),
  ])
  expect(pages[1]!.label).toBe('Sheet Trend')
  expect(pages[0]!.notices).toMatchObject([{ code: 'not_read', count: 1, places: ['Sheet Costs'] }])
  expect(pages[0]!.pictures).toEqual(['xl/media/0-0.png'])
})
