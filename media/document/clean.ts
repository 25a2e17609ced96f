// Cleaning between extraction and chunking: removes running headers, footers and page numbers, but no content.
import { type Piece, piecesOf } from './markdown.ts'

interface Page {
  page: number
  text: string
}

/** Number of pieces at the top and bottom of a page that may be a running header or footer. */
const EDGE = 2
const LONGEST_RUNNING = 120
/** Number of pages on which a text with the page number recurs to count as a header; for text alone, share of the pages. */
const NUMBERED_PAGES = 3
const SAME_PAGES = 4
const SAME_SHARE = 0.4

const ROMAN = /^[-–—\s]*[ivxlc]{1,7}[-–—\s]*$/
const BARE = /(?<=^[-–—\s]*)\d{1,5}(?=[-–—\s]*$)/
/** Positions of the page number in a line: at an end, before the total, or alone. */
const NUMBERS = [/^\d{1,5}(?=\s)/, /(?<=\s)\d{1,5}$/, /(?<=\s)\d{1,5}(?=\s*(?:\/|of|von|sur|de)\s*\d{1,5}$)/i, BARE]
/** Invisible characters: controls except tabs and line ends, byte order marks, zero-width spaces and soft hyphens. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const UNSEEN = /[\u0000-\u0008\u000E-\u001F\u007F-\u0084\u0086-\u009F\u00AD\u200B\u2060\uFEFF]/g
/** A possibly hyphenated word. */
const CUT = /-\s/
const LIGATURES = /[\uFB00-\uFB06]/g

/**
 * Removes running headers and footers, page numbers and invisible characters, and rejoins words that were hyphenated at the
 * end of a line.
 * @param around neighbouring pages, to detect recurring lines when there are few pages
 */
export function cleanPages<P extends Page>(pages: P[], around: Page[] = []): P[] {
  const before = around.map(readPage)
  const own = pages.map(readPage)
  const recurring = recurringLines([...before, ...own])
  const words = wordsOf([...before, ...own])
  const shown = new Set<string>()
  return pages.map((page, index) => ({ ...page, text: cleanPage(own[index]!, recurring, words, shown) }))
}

/** A page without invisible characters, parsed once. */
interface ReadPage extends Page {
  pieces: Piece[]
  edges: Piece[]
}

function readPage({ page, text: raw }: Page): ReadPage {
  const text = withoutUnseen(raw)
  const pieces = piecesOf(text)
  return { page, text, pieces, edges: edgesOf(pieces) }
}

function cleanPage(
  { page, text, pieces, edges }: ReadPage,
  recurring: Recurring,
  words: Set<string>,
  shown: Set<string>,
): string {
  let cleaned = ''
  let end = 0
  for (const piece of pieces) {
    const [line = ''] = piece.lines
    const goes = edges.includes(piece) && isRunning(piece, line.trim(), page, recurring, shown)
    const source = text.slice(piece.from, piece.to)
    if (!goes)
      cleaned += text.slice(end, piece.from) + (HAS_WORDS.has(piece.kind) ? mendHyphens(source, words) : source)
    end = piece.to
  }
  return cleaned + text.slice(end)
}

const HAS_WORDS: ReadonlySet<Piece['kind']> = new Set(['heading', 'paragraph', 'item'])

function withoutUnseen(text: string): string {
  return text
    .replace(UNSEEN, '')
    .replace(LIGATURES, (ligature) => ligature.normalize('NFKC'))
    .toWellFormed()
}

interface Recurring {
  numbered: Set<string>
  same: Set<string>
}

function recurringLines(pages: ReadPage[]): Recurring {
  const numbered = new Map<string, number>()
  const same = new Map<string, number>()
  for (const { page, edges } of pages) {
    const lines = new Set(edges.map(({ lines: [line = ''] }) => line.trim()))
    for (const key of new Set([...lines].flatMap((line) => numberedKeys(line, page)))) count(numbered, key)
    for (const line of lines) count(same, line)
  }
  const often = (counted: Map<string, number>, least: number) =>
    new Set([...counted].flatMap(([key, times]) => (times >= least ? [key] : [])))
  return {
    numbered: often(numbered, NUMBERED_PAGES),
    same: often(same, Math.max(SAME_PAGES, pages.length * SAME_SHARE)),
  }
}

function count(counted: Map<string, number>, key: string): void {
  counted.set(key, (counted.get(key) ?? 0) + 1)
}

/** Separate lines at the top and the bottom. A page that has nothing else has no edges. */
function edgesOf(pieces: Piece[]): Piece[] {
  const said = pieces.filter(({ kind }) => kind !== 'rule')
  const edges = said.filter((_, index) => index < EDGE || index >= said.length - EDGE)
  return edges.filter(
    ({ kind, lines }) =>
      (kind === 'paragraph' || kind === 'heading') && lines.length === 1 && lines[0]!.length <= LONGEST_RUNNING,
  )
}

/** `17 Shell Commands` on page 20 is `# Shell Commands` three pages off. */
function numberedKeys(line: string, page: number): string[] {
  const keys: string[] = []
  for (const number of NUMBERS) {
    const found = number.exec(line)
    if (found) keys.push(`${Number(found[0]) - page} ${line.replace(number, '#')}`)
  }
  if (ROMAN.test(line)) keys.push(romanKey(line, page))
  return keys
}

/** A Roman page number. A single letter may be a name in a formula: it counts only where the numbers of other pages fit. */
function isRoman(line: string, page: number, { numbered }: Recurring): boolean {
  return ROMAN.test(line) && (lettersOf(line).length > 1 || numbered.has(romanKey(line, page)))
}

function romanKey(line: string, page: number): string {
  const values = lettersOf(line)
    .split('')
    .map((letter) => VALUES[letter]!)
  const sum = values.reduce((total, value, at) => total + (value < (values[at + 1] ?? 0) ? -value : value), 0)
  return `${sum - page} roman`
}

const VALUES: Record<string, number> = { i: 1, v: 5, x: 10, l: 50, c: 100 }
const lettersOf = (line: string) => line.replaceAll(/[^a-z]/g, '')

/** The first occurrence of recurring text without a number stays, because it may be content. */
function isRunning(piece: Piece, line: string, page: number, recurring: Recurring, shown: Set<string>): boolean {
  if (isRoman(line, page, recurring) || BARE.exec(line)?.[0] === String(page)) return true
  // "Chapter 7" on page 7 may be the title of the chapter.
  if (piece.kind === 'paragraph' && numberedKeys(line, page).some((key) => recurring.numbered.has(key))) return true
  if (!recurring.same.has(line)) return false
  const before = shown.has(line)
  shown.add(line)
  return before
}

function wordsOf(pages: Page[]): Set<string> {
  const words = new Set<string>()
  for (const { text } of pages)
    for (const [word] of text.toLowerCase().matchAll(/\p{L}+(?:-\p{L}+)*/gu)) words.add(word)
  return words
}

/**
 * Rejoins a word split at the end of a line, with the hyphen if it occurs so elsewhere. Within a line ("pre- and post-war")
 * only if the joined word occurs elsewhere.
 */
function mendHyphens(text: string, words: Set<string>): string {
  // Few pieces have any, and searching for the words around them is slow.
  if (!CUT.test(text)) return text
  return text.replace(/(\p{L}{2,})-([ \t]*)(\r?\n?)[ \t]*(?=\p{Ll})(\p{L}+)/gu, (whole, before, spaces, end, after) => {
    if (spaces + end === '') return whole
    const joined = before + after
    if (words.has(joined.toLowerCase())) return joined
    const hyphened = `${before}-${after}`
    if (words.has(hyphened.toLowerCase())) return hyphened
    return end === '' ? whole : joined
  })
}
