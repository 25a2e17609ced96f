// HTML files: the text of the body as a browser shows it, without scripts.
import { readFile } from 'node:fs/promises'
import type { Notice } from '../../../contracts/notices.ts'
import { decodeHtml } from '../html.ts'
import { textEncoding } from '../text-encoding.ts'
import { markupToMarkdown } from './markup.ts'
import { cutLong } from './pages.ts'
import type { UnnumberedPage } from './table.ts'

/** @throws MediaFailure */
export async function readHtml(path: string): Promise<UnnumberedPage[]> {
  const bytes = await readFile(path)
  const html = decodeHtml(bytes, { undeclared: textEncoding(bytes) ?? 'windows-1252' })
  const notices: Notice[] = []
  const pages = cutLong(markupToMarkdown(html, notices)).map((text): UnnumberedPage => ({ text }))
  if (pages[0] && notices.length > 0) pages[0].notices = notices
  return pages
}
