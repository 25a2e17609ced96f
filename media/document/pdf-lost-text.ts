// Text that liteparse leaves out of its Markdown though it found it on the page: put back where it stands.
import { linesOf, type PdfItem } from './pdf-lines.ts'

/** Share of the letters of a page that its Markdown may lack: with more, its layout was not understood. */
const MOST_LOST = 0.3
/** Share of a piece's letters that are lost when all of it is. */
const MOST_OF_PIECE = 0.5
const WORD = /[\p{L}\p{N}]+/gu

/** The Markdown of a page with all its words. @param items all pieces of text of the page */
export function withLostText(markdown: string, items: readonly PdfItem[]): string {
  const lack = lettersOf(items.map(({ text }) => text).join(' '))
  const all = sum(lack)
  for (const [letter, times] of lettersOf(markdown)) take(lack, letter, times)
  const lost = sum(lack)
  if (lost === 0) return markdown
  if (lost > all * MOST_LOST) return plainText(items)
  return inserted(markdown, items, lostItems(markdown, items, lack))
}

/** A page as its lines, with an empty line where the gap between two is a line high. */
export function plainText(items: readonly PdfItem[]): string {
  let text = ''
  let end = Number.POSITIVE_INFINITY
  for (const line of linesOf(items)) {
    const [first] = line.items
    text += `${first!.y - end > first!.height ? '\n' : ''}${line.text}\n`
    end = first!.y + first!.height
  }
  return text.trim()
}

/** Pieces, or words of pieces, that the Markdown lacks: never more letters than it lacks in all. */
function lostItems(markdown: string, items: readonly PdfItem[], lack: Map<string, number>): PdfItem[] {
  const there = new Map<string, number>()
  for (const [word] of plainLetters(markdown).matchAll(WORD)) there.set(word, (there.get(word) ?? 0) + 1)
  return items.flatMap((item) => {
    const lost = (plainLetters(item.text).match(WORD) ?? []).filter((word) => {
      const left = there.get(word) ?? 0
      if (left > 0) there.set(word, left - 1)
      else if (hasAll(lack, word)) {
        for (const letter of word) take(lack, letter, 1)
        return true
      }
      return false
    })
    if (lost.length === 0) return []
    const isWhole = lost.join('').length >= MOST_OF_PIECE * (plainLetters(item.text).match(WORD) ?? []).join('').length
    return [isWhole ? item : { ...item, text: wordsAsWritten(item.text, lost) }]
  })
}

/** The words of a text that are among these without regard to case. */
function wordsAsWritten(text: string, words: string[]): string {
  const left = [...words]
  const written = (text.match(WORD) ?? []).filter((word) => {
    const at = left.indexOf(plainLetters(word))
    if (at >= 0) left.splice(at, 1)
    return at >= 0
  })
  return written.join(' ')
}

/** Each lost line as a paragraph after the block that holds the text above it; at the end where there is none. */
function inserted(markdown: string, items: readonly PdfItem[], lost: PdfItem[]): string {
  const isLost = new Set(lost.map(({ x, y }) => `${x} ${y}`))
  const kept = items.filter(({ x, y, text }) => !isLost.has(`${x} ${y}`) && text.trim().length > 2)
  const additions = linesOf(lost).map(({ text, items: [first] }) => ({ text, at: placeOf(markdown, kept, first!) }))
  let done = markdown
  for (const { text, at } of additions.toReversed().toSorted((a, b) => b.at - a.at))
    done = `${done.slice(0, at).trimEnd()}\n\n${text}\n\n${done.slice(at).trimStart()}`
  return done.trim()
}

function placeOf(markdown: string, kept: PdfItem[], lost: PdfItem): number {
  if (lost.rotation) return markdown.length
  const above = kept
    .filter((item) => !item.rotation && item.y + item.height / 2 <= lost.y + lost.height / 2)
    .toSorted((a, b) => distance(a, lost) - distance(b, lost))
  for (const item of above.slice(0, 5)) {
    const found = markdown.indexOf(item.text.trim())
    if (found >= 0) return endOfBlock(markdown, found)
  }
  return above.length === 0 && kept.length > 0 ? 0 : markdown.length
}

function distance(above: PdfItem, lost: PdfItem): number {
  const isBeside = above.x > lost.x + lost.width || above.x + above.width < lost.x
  return lost.y - above.y + (isBeside ? 10 * lost.height : 0)
}

/** The end of the block that holds a place: the next empty line that is not in a fence. */
function endOfBlock(markdown: string, at: number): number {
  for (let end = markdown.indexOf('\n\n', at); end >= 0; end = markdown.indexOf('\n\n', end + 2))
    if ((markdown.slice(0, end).match(/^```/gm)?.length ?? 0) % 2 === 0) return end
  return markdown.length
}

function plainLetters(text: string): string {
  return text.normalize('NFKC').toLowerCase()
}

function lettersOf(text: string): Map<string, number> {
  const counted = new Map<string, number>()
  for (const [letter] of plainLetters(text).matchAll(/[\p{L}\p{N}]/gu))
    counted.set(letter, (counted.get(letter) ?? 0) + 1)
  return counted
}

function take(counted: Map<string, number>, letter: string, times: number): void {
  const left = (counted.get(letter) ?? 0) - times
  if (left > 0) counted.set(letter, left)
  else counted.delete(letter)
}

function hasAll(counted: Map<string, number>, word: string): boolean {
  const wanted = lettersOf(word)
  return [...wanted].every(([letter, times]) => (counted.get(letter) ?? 0) >= times)
}

function sum(counted: Map<string, number>): number {
  return [...counted.values()].reduce((total, times) => total + times, 0)
}
