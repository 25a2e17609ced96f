// How pages become passages.
import { expect, test } from 'vitest'
import { chunkPages } from '../../media/document/chunk.ts'
import { cutLong, sentencesOf } from '../../media/document/sentences.ts'

const sentence = (index: number) => `Sentence number ${index} says something of some length about the matter.`
const prose = (count: number, from = 0) => Array.from({ length: count }, (_, index) => sentence(from + index)).join(' ')

test('sentences do not end at abbreviations, initials or numbers', () => {
  const text = 'Dr. Smith met J. R. Tolkien, e.g. on 3. May, cf. Fig. 2. They talked! Was it good? Ja, z. B. sehr.'
  expect(sentencesOf(text)).toEqual([
    'Dr. Smith met J. R. Tolkien, e.g. on 3. May, cf. Fig. 2. They talked!',
    'Was it good?',
    'Ja, z. B. sehr.',
  ])
})

test('no sentence is cut or lost, and no chunk is far from the wanted length', () => {
  const pages = Array.from({ length: 5 }, (_, index) => ({ page: index + 1, text: prose(60, index * 60) }))
  const chunks = chunkPages(pages, { overlap: 0 })
  for (const { text } of chunks) {
    expect(text.length).toBeGreaterThan(600)
    expect(text.length).toBeLessThan(1_800)
    expect(text).toMatch(/^Sentence number \d+ .*matter\.$/)
  }
  const all = chunks.map(({ text }) => text).join(' ')
  for (let index = 0; index < 300; index++) expect(all.split(sentence(index)).length).toBe(2)
  expect(chunks.map(({ position }) => position)).toEqual([...chunks.keys()])
})

test('a segment of a recording has its time as heading', () => {
  const [chunk] = chunkPages([{ page: 1, text: '## 00:00:00–00:00:30\n\nThe new bridge costs nine hundred dollars.' }])
  expect(chunk).toMatchObject({ heading: '00:00:00–00:00:30', text: expect.stringContaining('The new bridge') })
})

test('a chunk is of one page, and says which', () => {
  const chunks = chunkPages([
    { page: 7, text: 'The lighthouse stands on the cape.' },
    { page: 8, text: 'The keeper counts the ships.' },
  ])
  expect(chunks.map(({ page, text }) => [page, text])).toEqual([
    [7, 'The lighthouse stands on the cape.'],
    [8, 'The keeper counts the ships.'],
  ])
})

test('a sentence that crosses a page boundary is whole, on the page where it starts', () => {
  const chunks = chunkPages([
    { page: 1, text: 'All is well. The keeper counts the' },
    { page: 2, text: 'ships each morning. Then he sleeps.' },
  ])
  expect(chunks.map(({ text }) => text)).toEqual([
    'All is well. The keeper counts the ships each morning.',
    'Then he sleeps.',
  ])
})

test('neighbours on a page share a sentence when it is short enough', () => {
  const [first, second] = chunkPages([{ page: 1, text: prose(30) }], { overlap: 100 })
  const last = sentencesOf(first!.text).at(-1)!
  expect(second!.text.startsWith(last)).toBe(true)
})

test('a chunk carries its headings, across pages', () => {
  const chunks = chunkPages([
    { page: 1, text: `# Sea\n\n${prose(10)}\n\n## Ships\n\n${prose(10)}` },
    { page: 2, text: `${prose(10)}\n\n## Gulls\n\n${prose(10)}\n\n# Land\n\n${prose(10)}` },
  ])
  expect(chunks.map(({ page, heading }) => `${page} ${heading}`)).toEqual([
    '1 Sea',
    '1 Sea > Ships',
    '2 Sea > Ships',
    '2 Sea > Gulls',
    '2 Land',
  ])
  expect(chunks[1]!.text.startsWith('Ships\n\nSentence number 0')).toBe(true)
})

test('the label of a page precedes the headings', () => {
  const [slide] = chunkPages([{ page: 3, label: 'Slide 3', text: '# Prices\n\nThe boat is dear.' }])
  expect(slide).toMatchObject({ page: 3, heading: 'Slide 3 > Prices' })
})

test('a table that is cut repeats its header', () => {
  const rows = Array.from({ length: 80 }, (_, index) => `| ship ${index} | captain of ship ${index} | ${index * 3} |`)
  const header = '| Ship | Captain | Crew |\n|---|---|---|'
  const chunks = chunkPages([{ page: 1, text: `Before.\n\n${header}\n${rows.join('\n')}\n\nAfter.` }])
  expect(chunks.length).toBeGreaterThan(2)
  for (const { text } of chunks) expect(text.split(header).length).toBe(2)
  for (const row of rows) expect(chunks.filter(({ text }) => text.includes(row)).length).toBe(1)
})

test('lists, code and records keep their lines', () => {
  const text = 'To do:\n- buy tea\n- count ships\n\n```sh\nls  -l\n  cat\n```\n\nname;age\nann;3\nbob;4\ncid;5'
  const [chunk] = chunkPages([{ page: 1, text }])
  expect(chunk!.text).toBe('To do:\n- buy tea\n- count ships\nls  -l\n  cat\n\nname;age\nann;3\nbob;4\ncid;5')
})

test('pages without words give no chunks', () => {
  expect(chunkPages([])).toEqual([])
  expect(
    chunkPages([
      { page: 1, text: '' },
      { page: 2, text: ' \n\n 2 \n' },
      { page: 3, text: '---' },
    ]),
  ).toEqual([])
})

test.each([
  ['no sentence', 'word '.repeat(200_000)],
  ['no space', 'x'.repeat(1_000_000)],
  ['nothing but abbreviations', 'A. '.repeat(330_000)],
  ['nothing but lines', 'a\n'.repeat(400_000)],
  ['nothing but headings', '# a\n'.repeat(200_000)],
  ['nothing but a table', '| a | b |\n'.repeat(100_000)],
  ['emoji', '🐋'.repeat(250_000)],
])('a page of a million characters with %s takes no time and gives no giant', (_name, text) => {
  const start = performance.now()
  const chunks = chunkPages([{ page: 1, text }])
  // Not a measurement: quadratic code needs hours.
  expect(performance.now() - start).toBeLessThan(60_000)
  expect(Math.max(...chunks.map((chunk) => chunk.text.length))).toBeLessThan(2_700)
})

test('a cut never splits a surrogate pair', () => {
  expect(cutLong('🐋'.repeat(10), 5).every((part) => part.isWellFormed())).toBe(true)
})
