// Markdown of a document without pages of its own, or with breaks marked in it, as pages of bounded length.

/** Longest page of a text, in characters, so that a batch of pages stays a small piece of work. */
export const PAGE_CHARACTERS = 32_768
/** Stands where a page ends. */
export const PAGE_BREAK = '\f'

const ROW = /^\|.*\|$/

/** The pages of a text; a table that goes on has its header again. */
export function cutAtBreaks(markdown: string): string[] {
  const pages: string[] = []
  let lines: string[] = []
  let table: string[] = []
  for (const line of markdown.split('\n')) {
    const text = line.replaceAll(PAGE_BREAK, '')
    // A break that stands alone in its line leaves no line behind.
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

/** Pieces of a text, each within the limit; together they are the text. */
export function cutLong(text: string): string[] {
  const pieces: string[] = []
  for (let start = 0; start < text.length;) {
    const end = endOfPage(text, start)
    pieces.push(text.slice(start, end))
    start = end
  }
  return pieces
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
