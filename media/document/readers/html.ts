// HTML files: the text of the body, without scripts and navigation.
import { readFile } from 'node:fs/promises'
import { decodeHtml } from '../html.ts'
import { textEncoding } from '../text-encoding.ts'
import { markupToMarkdown } from './markup.ts'
import { cutLong } from './pages.ts'
import type { UnnumberedPage } from './table.ts'

/** @throws MediaFailure */
export async function readHtml(path: string): Promise<UnnumberedPage[]> {
  const bytes = await readFile(path)
  const html = decodeHtml(bytes, { undeclared: textEncoding(bytes) ?? 'windows-1252' })
  return cutLong(markupToMarkdown(html)).map((text) => ({ text }))
}
