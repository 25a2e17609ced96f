// Documents of every format as their pages of Markdown: what is kept of each, and what is left out.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readDocument } from '../../media/document/parse-document.ts'
import * as documents from '../support/documents.ts'
import { tempDir } from '../support/temp-dir.ts'

const LIMITS = { memory_mb: 1_024, time_ms: 60_000, output_bytes: 8_000_000, max_pages: 5_000 }

function read(bytes: Uint8Array | string, name = 'document') {
  const path = join(tempDir(), 'document')
  writeFileSync(path, bytes)
  return readDocument(path, { name, signal: new AbortController().signal, limits: LIMITS })
}

const FARES =
  /^\| Passenger \| Fare \| Since \|\n\| --- \| --- \| --- \|\n.*\| Child \| 17 \| 2025-11-15 \|\n\| Bicycle \\\| tandem \| 8 \| 2023-06-30 \|/ms

describe('the same handbook', () => {
  test.each([
    ['docx', documents.docx, 2],
    ['odt', documents.odt, 2],
    ['rtf', documents.rtf, 2],
    ['html', documents.html, 1],
    ['epub', documents.epub, 3],
    ['pptx', documents.pptx, 2],
    ['odp', documents.odp, 2],
    ['json', documents.json, 1],
    ['eml', documents.eml, 1],
  ] as const)(
    'of %s has its heading, its words, its list and its table, whatever its name',
    async (kind, write, last) => {
      const { kind: found, pages } = await read(await write())
      expect(found).toBe(kind)
      expect(pages.map(({ page }) => page)).toEqual(Array.from({ length: last }, (_, index) => index + 1))
      expect(pages[0]!.text).toMatch(/The Ferry Handbook/)
      expect(pages[0]!.text).toMatch(/7:40/)
      expect(pages.at(-1)!.text).toMatch(FARES)
      expect(JSON.stringify(pages)).not.toMatch(/Nobody may see this|This was deleted|alert/)
    },
  )

  test.each([
    ['xlsx', documents.xlsx],
    ['ods', documents.ods],
    ['csv', documents.csv],
    ['tsv', () => documents.csv('\t')],
  ] as const)('of %s has its table, with dates as dates', async (kind, write) => {
    const { kind: found, pages } = await read(await write(), kind === 'csv' ? 'a.csv' : 'a')
    expect(found).toBe(kind)
    expect(pages[0]!.text).toMatch(/^\| Passenger \| Fare \| Since \|/)
    expect(pages[0]!.text).toMatch(/^\| Child \| 17 \| 2025-11-15 \|/m)
    expect(JSON.stringify(pages)).not.toMatch(/Nobody may see this/)
  })
})

test('DOCX keeps lists, bold words, footnotes, header and footer', async () => {
  const [first, second] = (await read(await documents.docx())).pages
  expect(first!.text).toMatch(/^Sund Ferries & Sons\n\n# The Ferry Handbook\n\n# Timetable\n/)
  expect(first!.text).toMatch(/\*\*7:40\*\*/)
  expect(first!.text).toMatch(/^- +Dogs travel free$/m)
  expect(second!.text).toMatch(/Except on the day of the regatta\.\n\nPrinted in Sund$/)
})

test('XLSX has a page for each sheet, formulas with their results, times to the minute', async () => {
  const { pages } = await read(await documents.xlsx())
  expect(pages.map(({ label }) => label)).toEqual(['Sheet Fares', 'Sheet Crew'])
  expect(pages[0]!.text).toMatch(/\| Child \| 17 \| 2025-11-15 \| 34 \|/)
  expect(pages[1]!.text).toMatch(/\| Ada Sund \| 2019-05-06 06:30 \|/)
})

test('slides are labelled by number, with their notes', async () => {
  for (const write of [documents.pptx, documents.odp]) {
    const { pages } = await read(await write())
    expect(pages.map(({ label }) => label)).toEqual(['Slide 1', 'Slide 2'])
    expect(pages[0]!.text).toMatch(/^# The Ferry Handbook\n[^]*\*\*Notes:\*\*\n\nGreet the captain\.$/)
    expect(pages[1]!.text).not.toMatch(/Notes/)
  }
})

test('ODT keeps nested lists, footnotes and alternative text of images', async () => {
  const [first, second] = (await read(documents.odt())).pages
  expect(first!.text).toMatch(/to Sund leaves at 7:40\.\\\[1\\\]/)
  expect(first!.text).toMatch(/^- +Animals\n+ +- +Dogs travel free$/m)
  expect(first!.text).toContain('![The pier at dawn]')
  expect(second!.text).toMatch(/\\\[1\\\] Except on the day of the regatta\.$/)
})

test('RTF has each letter once, by its code page or by Unicode', async () => {
  const [first] = (await read(documents.rtf())).pages
  expect(first!.text).toContain('The fähre to Sund leaves at 7:40—every day.')
  expect(first!.text).toContain('Паром в Сунд costs 8 € or € 9')
})

test('EPUB chapters are labelled by the table of contents, in reading order, with the ones that are missing', async () => {
  const { pages } = await read(documents.epub())
  expect(pages.map(({ label }) => label)).toEqual(['Timetable', 'Contents', 'What it costs'])
  expect(pages[1]!.text).toContain('What it costs')
  expect(pages[1]!.text).not.toMatch(/^# x/)
  expect(pages[0]!.notices).toMatchObject([{ code: 'unreadable', count: 1, places: ['gone'] }])
})

test('a mail has its senders, its date and the names of its files', async () => {
  const [first] = (await read(documents.eml())).pages
  expect(first!.text).toMatch(/^From: Käpten Ada <ada@example.org>\nTo: Bo <bo@example.org>, Cy <cy@example.org>$/m)
  expect(first!.text).toMatch(/^Attachments: oars\.txt$/m)
  expect(first!.text).toContain('Dogs travel “free”.')
  expect(first!.text).not.toContain('See the other part.')
})

test('a long table has several pages, each with the header', async () => {
  const rows = Array.from({ length: 5_000 }, (_, index) => `${index},"a, b",x`)
  const { pages } = await read(['number,words,more', ...rows].join('\n'), 'long.csv')
  expect(pages.length).toBeGreaterThan(2)
  for (const { text } of pages) expect(text).toMatch(/^\| number \| words \| more \|\n\| --- /)
  const numbers = pages.flatMap(({ text }) =>
    [...text.matchAll(/^\| (\d+) \| a, b \|/gm)].map(([, number]) => Number(number)),
  )
  expect(numbers).toEqual(rows.map((_, index) => index))
})

test('JSON Lines is a table, and invalid JSON is text', async () => {
  const lines = '{"a":1,"b":"x"}\n{"a":2,"c":{"d":[1,2]}}\n'
  expect((await read(lines)).pages[0]!.text).toMatch(/- a: 2\n\n## c/)
  expect((await read('{"a": 1,}', 'a.json')).pages[0]!.text).toBe('{"a": 1,}')
})
