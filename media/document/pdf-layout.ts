// A page whose ruled tables, or whose columns, liteparse mixed up: its blocks that are whole, the tables and the lines
// that remain, in the order of reading.
import type { LayoutBlock, ParsedPage } from '@llamaindex/liteparse'
import { around, type Box } from './pdf-grids.ts'
import { linesOf, type PdfItem, type PdfLine } from './pdf-lines.ts'
import { boxOf, endOf, isRunningText } from './running-text.ts'
import { isIn, markdownOf, type PdfTable, tablesOf } from './pdf-tables.ts'

/** What is read as a whole. */
interface Unit extends Box {
  text: string
  /** Of a line that no block has. */
  isLine?: true
  isTable?: true
}

/** Fewest pieces of text of a column, and share of all that may reach over the gap between two. */
const FEWEST_IN_COLUMN = 15
const MOST_CROSSING = 0.15
/** Least share of the width of a column that its lines fill where nothing reaches over the gap. */
const FULL_APART = 0.4
/** Fewest lines of two columns that are mixed with each other for the page to be laid out again. */
const FEWEST_MIXED = 3
/** Narrowest gap between columns, in points; the widest between the lines of a paragraph, as a share of their height. */
const GAP = 4
const APART = 0.8
/** Share of its width from which on a line of a paragraph is full. */
const SHORT = 0.85
const LIST_MARK = /^[^\p{L}\p{N}\p{P}\s]|^[-–—*•·◦▪]\s|^\(?\w{1,3}[.)]\s/u
/** Share of the height of the lower of two units that stand beside each other. */
const BESIDE = 0.5
/** Share of the letters of a block that its pieces of text must have in common with it. */
const WHOLE = 0.95

/** The Markdown of a page that needs another order or tables. @returns undefined where liteparse's is as good */
export function relaidPage(page: ParsedPage): string | undefined {
  const items = page.textItems.filter(({ text }) => text.trim() !== '')
  const blocks = (page.blocks ?? []).filter(({ kind }) => kind !== 'rule')
  const pieces = piecesOf(page, items)
  const tables = tablesOf(page.vectorGraphics?.lines ?? [], pieces)
  const known = new Set(blocks.filter(({ kind }) => kind === 'table').map(keyOf))
  const isMissing = tables.some(
    ({ rows }) => !known.has(keyOf({ rows: rows.map((row) => row.map((text) => ({ text }))) })),
  )
  const text = pieces.filter((piece) => !piece.rotation && !tables.some((table) => isIn(piece, table)))
  const gap = gapOf(text, tables)
  const mixed = new Map(blocks.map((block) => [block, gap === undefined ? 0 : mixedLines(block, items, gap)]))
  const isMixed = [...mixed.values()].reduce((sum, lines) => sum + lines, 0) >= FEWEST_MIXED
  if (!isMissing && !isMixed) return undefined
  const inTables = new Set(tables.flatMap((table) => [...table.items]))
  const left = new Set(pieces.filter((piece) => !inTables.has(piece)))
  const whole = wholeBlocks(
    blocks.filter((block) => mixed.get(block) === 0),
    left,
    gap,
  )
  const units = [...tables.map(tableUnit), ...whole]
  return textOf(inOrder({ units, left: [...left], text, gap }))
}

function tableUnit(table: PdfTable): Unit {
  const { left, top, right, bottom, title } = table
  return { left, top, right, bottom, text: `${title}\n\n${markdownOf(table)}`.trim(), isTable: true }
}

/** The pieces of text of a page, cut where the side of a cell runs between their words. */
function piecesOf(page: ParsedPage, items: ParsedPage['textItems']): PdfItem[] {
  const down = (page.vectorGraphics?.lines ?? []).filter(({ x1, x2 }) => Math.abs(x1 - x2) <= 1)
  return items.flatMap((item) => {
    const middle = item.y + item.height / 2
    const sides = down.filter(({ x1, y1, y2 }) => {
      const isWithin = x1 > item.x && x1 < item.x + item.width
      return isWithin && middle > Math.min(y1, y2) && middle < Math.max(y1, y2)
    })
    if (sides.length === 0 || !item.words || item.rotation) return [item]
    const parts = new Map<number, PdfItem[]>()
    for (const word of item.words) {
      const part = sides.filter(({ x1 }) => x1 < word.x + word.width / 2).length
      parts.set(part, [...(parts.get(part) ?? []), word])
    }
    return [...parts.values()].map((words) => {
      const { left, top, right, bottom } = around(words.map(boxOf))
      const text = words.map((word) => word.text).join(' ')
      return { text, x: left, y: top, width: right - left, height: bottom - top }
    })
  })
}

/** Takes the pieces of each block that has all its letters from them. */
function wholeBlocks(blocks: readonly LayoutBlock[], left: Set<PdfItem>, gap: number | undefined): Unit[] {
  return blocks.flatMap((block) => {
    if (!block.bbox) return []
    const box = boxOf(block.bbox)
    const text = lettersOf(plainTextOf(block))
    const items = [...left].filter((item) => isIn(item, box) && text.includes(lettersOf(item.text)))
    const letters = lettersOf(items.map((item) => item.text).join('')).length
    if (text.length === 0 || letters < text.length * WHOLE || letters > text.length) return []
    for (const item of items) left.delete(item)
    // A paragraph that goes on in the next column stands where it begins.
    const [before, across] = gap === undefined ? [[], items] : sidesOf(items, gap)
    return [
      { ...(before.length > 0 && across.length === 0 ? around(before.map(boxOf)) : box), text: markdownOfBlock(block) },
    ]
  })
}

/** The place of the gap between two columns of running text: of those that fewest pieces reach over, the widest. */
function gapOf(items: readonly PdfItem[], boxes: readonly Box[]): number | undefined {
  const starts = [...items.map(({ x }) => x), ...boxes.map(({ left }) => left)].toSorted((a, b) => a - b)
  const ends = [...items.map(endOf), ...boxes.map(({ right }) => right)].toSorted((a, b) => a - b)
  let best: { at: number; across: number; width: number } | undefined
  let started = 0
  for (const [index, end] of ends.entries()) {
    const at = end + GAP / 2
    if ((ends[index + 1] ?? at) < at) continue
    while (started < starts.length && starts[started]! < at) started += 1
    const [before, after] = [index + 1, starts.length - started]
    const across = starts.length - before - after
    const width = (starts[started] ?? end) - end
    if (Math.min(before, after) < FEWEST_IN_COLUMN || across > starts.length * MOST_CROSSING) continue
    if (!best || across < best.across || (across === best.across && width > best.width)) best = { at, across, width }
  }
  if (!best) return undefined
  const [before, across, after] = sidesOf(items, best.at)
  const full = across.length === 0 ? FULL_APART : undefined
  return [before, after].every((side) => isRunningText(linesOf(side), full)) ? best.at : undefined
}

/** What is before a place, what reaches over it, and what is after it. */
function sidesOf<T extends PdfItem>(items: readonly T[], at: number): [T[], T[], T[]] {
  const before = items.filter(({ x, width }) => x + width <= at)
  const after = items.filter(({ x }) => x >= at)
  return [before, items.filter(({ x, width }) => x < at && x + width > at), after]
}

/** The number of lines of a block in which the text of one column goes on in the other. */
function mixedLines(block: LayoutBlock, items: readonly PdfItem[], gap: number): number {
  const { bbox } = block
  if (!bbox || bbox.x >= gap || bbox.x + bbox.width <= gap) return 0
  const text = lettersOf(plainTextOf(block))
  const lines = linesOf(items.filter((item) => isIn(item, boxOf(bbox))))
  return lines.filter((line) => {
    const [before, across, after] = sidesOf(line.items, gap)
    if (across.length > 0 || before.length === 0 || after.length === 0) return false
    const [end, start] = [lettersOf(before.at(-1)!.text), lettersOf(after[0]!.text)]
    return text.includes(end + start) || text.includes(start + end)
  }).length
}

/** A part of a page: its units, pieces of text that are in none, and all its running text, which tells its columns. */
interface Part {
  units: Unit[]
  left: PdfItem[]
  text: PdfItem[]
  gap: number | undefined
}

/** From top to bottom; between units that reach over all columns, column after column. */
function inOrder({ units, left, text, gap }: Part): Unit[] {
  if (gap === undefined) return downwards([...units, ...linesOf(left).map(unitOf)])
  const [before, across, after] = sidesOf(left, gap)
  const isAcross = (unit: Unit) => unit.left < gap && unit.right > gap
  const crossing = downwards([...units.filter(isAcross), ...linesOf(across).map(unitOf)])
  const bandOf = (box: Box) => crossing.filter(({ top }) => top <= (box.top + box.bottom) / 2).length
  const column = (pieces: PdfItem[], own: Unit[], isHere: (piece: PdfItem) => boolean) => {
    const rest = text.filter(isHere)
    return inOrder({
      units: own,
      left: pieces,
      text: rest,
      gap: gapOf(
        rest,
        own.filter(({ isTable }) => isTable),
      ),
    })
  }
  const here = units.filter((unit) => unit.right <= gap)
  const there = units.filter((unit) => unit.left >= gap)
  return [[], ...crossing.map((unit) => [unit])].flatMap((first, band) => {
    const isInBand = (box: Box) => bandOf(box) === band
    const pieces = (side: PdfItem[]) => side.filter((piece) => isInBand(boxOf(piece)))
    return [
      ...first,
      ...column(pieces(before), here.filter(isInBand), (piece) => piece.x < gap && isInBand(boxOf(piece))),
      ...column(pieces(after), there.filter(isInBand), (piece) => piece.x >= gap && isInBand(boxOf(piece))),
    ]
  })
}

function unitOf({ text, items }: PdfLine): Unit {
  return { ...around(items.map(boxOf)), text: text.replaceAll(/ {2,}/g, ' '), isLine: true }
}

/** From top to bottom; those that stand beside each other from left to right. */
function downwards(units: readonly Unit[]): Unit[] {
  const rows: Unit[][] = []
  for (const unit of units.toSorted((a, b) => a.top - b.top)) {
    const [first] = rows.at(-1) ?? []
    const common = first ? Math.min(first.bottom, unit.bottom) - unit.top : 0
    if (first && common > BESIDE * Math.min(first.bottom - first.top, unit.bottom - unit.top)) rows.at(-1)!.push(unit)
    else rows.push([unit])
  }
  return rows.flatMap((row) => row.toSorted((a, b) => a.left - b.left))
}

/** Lines that follow each other closely are a paragraph; one that ends early, or before a mark of a list, ends there. */
function textOf(units: readonly Unit[]): string {
  let text = ''
  for (const [index, unit] of units.entries()) {
    const before = units[index - 1]
    if (before) text += before.isLine && unit.isLine && isBelow(unit, before) ? lineEnd(before, unit) : '\n\n'
    text += unit.text
  }
  return text
}

function isBelow(unit: Unit, above: Unit): boolean {
  const isNear = Math.abs(unit.top - above.bottom) < (unit.bottom - unit.top) * APART
  return isNear && unit.left < above.right && unit.right > above.left
}

function lineEnd(above: Unit, unit: Unit): ' ' | '\n' {
  const { left, right } = around([above, unit])
  return above.right - left < (right - left) * SHORT || LIST_MARK.test(unit.text) ? '\n' : ' '
}

function markdownOfBlock(block: LayoutBlock): string {
  const { kind, text = '', level = 0, ordered, marker = '', lines = [] } = block
  if (kind === 'heading') return `${'#'.repeat(Math.max(1, level))} ${text}`
  if (kind === 'list_item') return `${'  '.repeat(level)}${ordered ? marker : '-'} ${text}`
  if (kind === 'table') return markdownOf({ rows: rowsOf(block) })
  if (kind === 'code') return `\`\`\`\n${lines.join('\n')}\n\`\`\``
  const marks = `${block.bold ? '**' : ''}${block.italic ? '*' : ''}`
  return `${marks}${text || lines.join('\n')}${marks}`
}

function plainTextOf(block: LayoutBlock): string {
  const { text = '', lines = [], marker = '' } = block
  return [marker, text, ...lines, ...rowsOf(block).flat()].join(' ')
}

function rowsOf({ header = [], rows = [] }: Pick<LayoutBlock, 'header' | 'rows'>): string[][] {
  const all = [...(header.length > 0 ? [header] : []), ...rows].map((row) => row.map(({ text }) => text))
  const width = Math.max(0, ...all.map((row) => row.length))
  return all.map((row) => [...row, ...Array<string>(width - row.length).fill('')])
}

function keyOf(table: Pick<LayoutBlock, 'header' | 'rows'>): string {
  return rowsOf(table)
    .map((row) => row.map(lettersOf).join('|'))
    .join('\n')
}

function lettersOf(text: string): string {
  return text
    .normalize('NFKC')
    .replaceAll(/<[^<>]{1,9}>|&\w{2,6};/g, '')
    .replaceAll(/[^\p{L}\p{N}]/gu, '')
    .toLowerCase()
}
