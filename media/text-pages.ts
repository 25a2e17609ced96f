// Plain text and Markdown files as pages: one page, or several of bounded length when the file is long.
import { open, readFile } from 'node:fs/promises'
import { MediaFailure } from './failure.ts'
import type { Page } from './parse-document.ts'
import { sniff, SNIFFED_BYTES, textEncoding } from './sniff.ts'

/** Longest page of a text file, in characters, so that a batch of pages stays a small piece of work. */
const PAGE_CHARACTERS = 32_768

/**
 * Looks at the beginning of a file.
 * @throws MediaFailure when it is empty or nothing that we can read
 */
export async function kindOfFile(path: string): Promise<'pdf' | 'text'> {
  const file = await open(path)
  try {
    const { bytesRead, buffer } = await file.read(new Uint8Array(SNIFFED_BYTES), 0, SNIFFED_BYTES, 0)
    if (bytesRead === 0) throw new MediaFailure('empty', 'The file is empty')
    const kind = sniff(buffer.subarray(0, bytesRead), '')
    if (!kind) throw new MediaFailure('not_a_pdf', 'The file is neither a PDF nor text')
    return kind === 'pdf' ? 'pdf' : 'text'
  } finally {
    await file.close()
  }
}

/**
 * All pages of a text file.
 * @throws MediaFailure
 */
export async function readTextPages(path: string, maxBytes: number, signal: AbortSignal): Promise<Page[]> {
  const bytes = await readFile(path, { signal })
  if (bytes.length > maxBytes)
    throw new MediaFailure('too_much_output', `The text is longer than ${maxBytes} bytes, which is the limit`)
  const text = new TextDecoder(textEncoding(bytes.subarray(0, SNIFFED_BYTES)) ?? 'utf-8').decode(bytes)
  if (text.trim() === '') throw new MediaFailure('empty', 'The file holds no text')
  const pages: Page[] = []
  for (let start = 0; start < text.length;) {
    const end = endOfPage(text, start)
    pages.push({ page: pages.length + 1, text: text.slice(start, end) })
    start = end
  }
  return pages
}

/** After the last blank line, line or word that fits. */
function endOfPage(text: string, start: number): number {
  const window = text.slice(start, start + PAGE_CHARACTERS)
  if (start + window.length === text.length) return text.length
  for (const separator of ['\n\n', '\n', ' ']) {
    const at = window.lastIndexOf(separator)
    if (at > PAGE_CHARACTERS / 2) return start + at + separator.length
  }
  // Not between the two halves of one character.
  return start + (/[\uD800-\uDBFF]$/.test(window) ? window.length - 1 : window.length)
}
