// Plain text and Markdown files as pages: one page, or several of bounded length for a long file.
import { readFile } from 'node:fs/promises'
import { MediaFailure } from '../failure.ts'
import type { Page } from '../page.ts'
import { withoutPictures } from './embedded-pictures.ts'
import { cutLong } from './readers/pages.ts'
import { decodeText } from './text-encoding.ts'

/**
 * All pages of a text file.
 * @throws MediaFailure
 */
export async function readTextPages(path: string, maxBytes: number, signal: AbortSignal): Promise<Page[]> {
  const bytes = await readFile(path, { signal })
  if (bytes.length > maxBytes)
    throw new MediaFailure('too_much_output', `The text is longer than ${maxBytes} bytes, which is the limit`)
  const { text, count } = withoutPictures(decodeText(bytes))
  if (text.trim() === '') throw new MediaFailure('empty', 'The file holds no text')
  const pages = cutLong(text).map((text, index): Page => ({ page: index + 1, text }))
  if (count > 0) pages[0]!.notices = [{ code: 'not_read', message: 'Text in pictures is not read', count, places: [] }]
  return pages
}
