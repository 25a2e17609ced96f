// Rich Text Format: text in any code page, with headings, lists, tables, footnotes and pages.
import { readFile } from 'node:fs/promises'
import { MediaFailure } from '../../failure.ts'
import { Marks } from './marks.ts'
import { markupToMarkdown } from './markup.ts'
import { cutAtBreaks } from './pages.ts'
import { RtfHtml } from './rtf-html.ts'
import type { UnnumberedPage } from './table.ts'

const TOKEN = /\\([a-z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-f]{2})|\\([^a-z])|([{}])|[\r\n]+|([^\\{}\r\n]+)/giy
/** Limit of nested groups. */
const MAX_DEPTH = 1_000

/** @throws MediaFailure */
export async function readRtf(path: string): Promise<UnnumberedPage[]> {
  const marks = new Marks()
  const html = rtfToHtml(await readFile(path), marks)
  return cutAtBreaks(markupToMarkdown(html)).map((text) => marks.page(text))
}

/** @throws MediaFailure */
export function rtfToHtml(bytes: Buffer, marks: Marks): string {
  const rtf = bytes.toString('latin1')
  const writer = new RtfHtml(marks)
  let depth = 0
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < rtf.length) {
    const found = TOKEN.exec(rtf)
    if (!found) break
    const [, word, number, hex, symbol, brace, text] = found
    if (brace === '{') {
      depth += 1
      if (depth > MAX_DEPTH) throw new MediaFailure('unsafe', 'The document is nested too deeply to be read')
      writer.open()
    } else if (brace === '}') {
      depth -= 1
      if (depth < 0) break
      writer.close()
    } else if (word === 'bin') TOKEN.lastIndex += Math.max(0, Number(number ?? 0))
    else if (word !== undefined) writer.control(word.toLowerCase(), number === undefined ? undefined : Number(number))
    else if (hex !== undefined) writer.byte(Number.parseInt(hex, 16))
    else if (symbol !== undefined) writer.symbol(symbol)
    else if (text !== undefined) writer.bytes(text)
  }
  return writer.end()
}
