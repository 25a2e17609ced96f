// HTML files: the text of the body as a browser shows it, without scripts.
import { readFile } from 'node:fs/promises'
import type { Notice } from '../../../contracts/notices.ts'
import { decodeHtml } from '../html.ts'
import { decodeText, textEncoding } from '../text-encoding.ts'
import { markupToMarkdown } from './markup.ts'
import { cutLong } from './pages.ts'
import type { UnnumberedPage } from './table.ts'

/** @throws MediaFailure */
export async function readHtml(path: string): Promise<UnnumberedPage[]> {
  const bytes = await readFile(path)
  const detected = textEncoding(bytes)
  // Its byte order mark is that of UTF-16.
  const isWide = detected?.startsWith('utf-32') === true
  const html = isWide ? decodeText(bytes) : decodeHtml(bytes, { undeclared: detected ?? 'windows-1252' })
  const notices: Notice[] = []
  const pages = cutLong(markupToMarkdown(html, notices, { keepsRelative: true })).map((text): UnnumberedPage => ({
    text,
  }))
  if (pages[0] && notices.length > 0) pages[0].notices = notices
  return pages
}
