// Splits the Markdown of a document without pages, or with marked breaks, into pages of bounded length.

/** Longest page of a text, in characters, so that a batch of pages stays small. */
export const PAGE_CHARACTERS = 32_768
/** Marks the end of a page. */
export const PAGE_BREAK = '\f'

const ROW = /^\|.*\|$/

/** The pages of a text; a table that continues repeats its header. */
export function cutAtBreaks(markdown: string): string[] {
  const pages: string[] = []
  let lines: string[] = []
  let table: string[] = []
  for (const line of markdown.split('\n')) {
    const text = line.replaceAll(PAGE_BREAK, '')
    // A break alone in its line removes the line.
    const isBreak = line !== text
    table = ROW.test(text) ? [...table, text].slice(0, 2) : []
    if (text.trim() !== '' || !isBreak) lines.push(text)
    if (!isBreak) continue
    pages.push(lines.join('\n'))
    lines = table.length === 2 ? [...table] : []
  }
  pages.push(lines.join('\n'))
  return pages.flatMap(cutLong)
}

/** Splits a text into pieces within the limit, without loss. */
export function cutLong(text: string): string[] {
  const pieces: string[] = []
  for (let start = 0; start < text.length;) {
    const end = endOfPage(text, start)
    pieces.push(text.slice(start, end))
    start = end
  }
  return pieces
}

/** The position after the last blank line, line or word within the limit. */
function endOfPage(text: string, start: number): number {
  const window = text.slice(start, start + PAGE_CHARACTERS)
  if (start + window.length === text.length) return text.length
  for (const separator of ['\n\n', '\n', ' ']) {
    const at = window.lastIndexOf(separator)
    if (at > PAGE_CHARACTERS / 2) return start + at + separator.length
  }
  // Not within a surrogate pair.
  return start + (/[\uD800-\uDBFF]$/.test(window) ? window.length - 1 : window.length)
}
