// What is on a page, in blocks with their places, and as plain text.
import { expect, test } from 'vitest'
import { blocksOf, plainText } from '../../media/document/blocks.ts'

const PAGE = [
  '# Harbour \\_rules\\_',
  '',
  'Boats **must** wait, see [the map](https://sund.example/map)',
  'and the `light`.',
  '',
  '- red\\*',
  '  still red',
  '  1. dark red',
  '- green',
  '',
  '3. third',
  '',
  '| Boat | Fee |',
  '|---|---|',
  '| Gull \\| Tern | **3** |',
  '',
  '```sh',
  'ls  *.md',
  '',
  '# list',
  '```',
  '',
  '![A chart of the bay](chart.png)',
  '',
  '---',
  '',
  'Prices',
  '------',
].join('\n')

test('a page is read in blocks of every kind, with the place of each in its text', () => {
  const blocks = blocksOf({ page: 4, text: PAGE })
  expect(blocks.map(({ position: _, ...block }) => block)).toEqual([
    { type: 'heading', level: 1, text: 'Harbour _rules_' },
    { type: 'paragraph', text: 'Boats must wait, see the map (https://sund.example/map)\nand the light.' },
    {
      type: 'list',
      ordered: false,
      items: [
        { text: 'red*\nstill red', depth: 0 },
        { text: 'dark red', depth: 1 },
        { text: 'green', depth: 0 },
      ],
    },
    { type: 'list', ordered: true, items: [{ text: 'third', depth: 0 }] },
    {
      type: 'table',
      header: true,
      rows: [
        ['Boat', 'Fee'],
        ['Gull | Tern', '3'],
      ],
    },
    { type: 'code', language: 'sh', text: 'ls  *.md\n\n# list' },
    { type: 'image', alt: 'A chart of the bay', url: 'chart.png' },
    { type: 'heading', level: 2, text: 'Prices' },
  ])
  const places = blocks.map(({ position: { page, offset, length } }) => [page, PAGE.slice(offset, offset + length)])
  expect(places.every(([page]) => page === 4)).toBe(true)
  expect(places.map(([, text]) => String(text).split('\n')[0])).toEqual([
    '# Harbour \\_rules\\_',
    'Boats **must** wait, see [the map](https://sund.example/map)',
    '- red\\*',
    '3. third',
    '| Boat | Fee |',
    '```sh',
    '![A chart of the bay](chart.png)',
    'Prices',
  ])
  expect(places[2]![1]).toMatch(/- green$/)
})

test('plain text has the same lines without the marks', () => {
  expect(
    plainText(PAGE)
      .split('\n')
      .filter((line) => line.trim() !== ''),
  ).toEqual([
    'Harbour _rules_',
    'Boats must wait, see the map (https://sund.example/map)',
    'and the light.',
    '- red*',
    '  still red',
    '  1. dark red',
    '- green',
    '3. third',
    'Boat\tFee',
    'Gull | Tern\t3',
    'ls  *.md',
    '# list',
    'A chart of the bay',
    '---',
    'Prices',
  ])
  const plain = 'Nothing to see here.\n\n  Two  spaces, 3 * 4 * 5, a_b_c, *.c,*.h'
  expect(plainText(plain)).toBe(plain)
})

test.each([
  ['code', '```\nnever closed'],
  ['a table', '| a |'],
  ['stars', 'a**'.repeat(50_000)],
  ['brackets', '['.repeat(100_000)],
  ['ticks', '`'.repeat(100_000)],
  ['underscores', '_a '.repeat(50_000)],
])('a page of nothing but %s takes no time', (_name, text) => {
  const start = performance.now()
  expect(blocksOf({ page: 1, text })).toHaveLength(1)
  plainText(text)
  // Not a measurement: quadratic code needs hours.
  expect(performance.now() - start).toBeLessThan(60_000)
})

test.each(['00:00:00–00:00:30', '7:40', '[2024-03-01]', '2024'])(
  'a heading may be a time, a date or a year: %s',
  (words) => {
    expect(blocksOf({ page: 1, text: `## ${words}\n\nThe new bridge.` })[0]).toMatchObject({
      type: 'heading',
      text: words,
    })
  },
)

test.each(['12', '4.1.2', '1.2 . . . . 17', '— 7 —', '1 / 300'])(
  'the number of a page or a section is no heading: %s',
  (words) => {
    expect(blocksOf({ page: 1, text: `## ${words}\n\nThe new bridge.` })[0]).toMatchObject({ type: 'paragraph' })
  },
)
