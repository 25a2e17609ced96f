// A real manual, cleaned: its running headers go, and every other word stays.
import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { cleanPages } from '../../media/document/clean.ts'
import { piecesOf } from '../../media/document/markdown.ts'
import { parsePages } from '../../media/document/parse-document.ts'

/** Of Debian's gnuplot-doc. */
const MANUAL = '/usr/share/doc/gnuplot/gnuplot.pdf'
const limits = { memory_mb: 1_024, time_ms: 60_000, output_bytes: 2 ** 26, max_pages: 5_000 }

test.skipIf(!existsSync(MANUAL))(
  '311 pages of a manual lose their headers, their numbers and nothing else',
  async () => {
    const options = { limits, signal: new AbortController().signal }
    const pages = await parsePages(MANUAL, { from: 1, to: 311 }, options)
    const letters = (text: string) => text.normalize('NFKC').replace(/[^\p{L}\p{N}]+/gu, '')
    const linesOf = (text: string) => piecesOf(text).flatMap(({ lines }) => lines)
    let headers = 0
    for (const [index, cleaned] of cleanPages(pages).entries()) {
      const after = linesOf(cleaned.text).map(letters)
      for (const line of linesOf(pages[index]!.text)) {
        if (letters(line) === after[0]) after.shift()
        else {
          expect(line).toMatch(/^(?:\d+ gnuplot 5\.4(?: \w+)?|(?:\w+ )?gnuplot 5\.4 \d+|\d+)$/)
          headers += 1
        }
      }
      expect(after).toEqual([])
    }
    expect(headers).toBeGreaterThan(290)
  },
)
