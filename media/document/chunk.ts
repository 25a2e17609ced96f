// Splits pages into passages of about a paragraph: whole sentences of one page, with their headings.
import { type Unit, unitsOf } from './markdown-units.ts'

export interface ChunkedPage {
  page: number
  text: string
  /** The page's label, which precedes the headings. */
  label?: string
}

export interface Chunk {
  text: string
  page: number
  /** Its headings, outermost first: `4 Builtins > 4.1 Bourne`. */
  heading?: string
  /** From 0 within one call. */
  position: number
}

export interface ChunkOptions {
  /** Target length, in characters; no chunk is longer than twice that. */
  target?: number
  /** Longest overlap with the previous chunk of the same page, in characters. */
  overlap?: number
}

const TARGET = 1_200
const OVERLAP = 120
const HEADING_CHARACTERS = 240

/**
 * Cuts pages into chunks, in linear time. A chunk never spans two pages, so that its page number is correct; only
 * a sentence that crosses a page boundary is kept whole, on the page where it starts.
 */
export function chunkPages(pages: ChunkedPage[], { target = TARGET, overlap = OVERLAP }: ChunkOptions = {}): Chunk[] {
  const pagesOfUnits = pages.map(({ text, ...page }) => ({ ...page, units: unitsOf(text, target) }))
  for (let index = 1; index < pages.length; index++)
    if (pages[index]!.label === pages[index - 1]!.label)
      mendBoundary(pagesOfUnits[index - 1]!.units, pagesOfUnits[index]!.units)
  const chunks: Chunk[] = []
  const headings: Unit[] = []
  let before: string | undefined
  for (const { page, label, units } of pagesOfUnits) {
    // A slide or sheet does not inherit the headings of the previous one.
    if (label !== before) headings.length = 0
    before = label
    for (const section of sectionsOf(units, target)) {
      for (const part of partsOf(section, target, overlap)) {
        const heading = headingOver(headings, part.units, label)
        const text = toText(part)
        if (/\p{L}/u.test(text) || text.length > 20)
          chunks.push({ text, page, ...(heading !== '' && { heading }), position: chunks.length })
      }
    }
  }
  return chunks
}

/** Moves the rest of a sentence to the page where it starts. */
function mendBoundary(before: Unit[], units: Unit[]): void {
  const last = before.at(-1)
  const first = units[0]
  if (last?.kind !== 'sentence' || first?.kind !== 'sentence') return
  if (/[.!?:;。！？]["')\]»”]*$/u.test(last.text) || !/^\p{Ll}/u.test(first.text)) return
  last.text = /\p{Ll}-$/u.test(last.text) ? last.text.slice(0, -1) + first.text : `${last.text} ${first.text}`
  units.shift()
  if (units[0]) units[0].joint = '\n\n'
}

/** Splits before headings, unless the text before or after is too short for a chunk of its own. */
function sectionsOf(units: Unit[], target: number): Unit[][] {
  const sections: { units: Unit[]; length: number }[] = []
  for (const unit of units) {
    const open = sections.at(-1)
    if (!open || (unit.kind === 'heading' && open.length > target / 3))
      sections.push({ units: [unit], length: unit.text.length })
    else {
      open.units.push(unit)
      open.length += unit.text.length
    }
  }
  if (sections.length > 1 && sections.at(-1)!.length < target / 4) {
    const short = sections.pop()!
    sections.at(-1)!.units.push(...short.units)
  }
  return sections.map((section) => section.units)
}

interface SectionPart {
  units: Unit[]
  /** Sentences of the previous part. */
  repeated: Unit[]
}

/** Splits a section into parts of nearly the same length. */
function partsOf(section: Unit[], target: number, overlap: number): SectionPart[] {
  const total = section.reduce((sum, unit) => sum + unit.text.length, 0)
  const wanted = total / Math.max(1, Math.round(total / target))
  const parts: SectionPart[] = []
  let units: Unit[] = []
  let length = 0
  for (const unit of section) {
    // The unit goes to the part with the larger share of it; a heading never ends a part.
    if (units.length > 0 && length + unit.text.length / 2 > wanted && units.at(-1)!.kind !== 'heading') {
      parts.push({ units, repeated: tailOf(parts.at(-1)?.units, overlap) })
      units = []
      length = 0
    }
    units.push(unit)
    length += unit.text.length
  }
  parts.push({ units, repeated: tailOf(parts.at(-1)?.units, overlap) })
  return parts
}

/** The last sentences within the overlap. */
function tailOf(units: Unit[] | undefined, overlap: number): Unit[] {
  const tail: Unit[] = []
  let room = overlap
  for (const unit of units?.toReversed() ?? []) {
    room -= unit.text.length
    if (room < 0 || unit.kind !== 'sentence') break
    tail.unshift(unit)
  }
  return tail
}

function toText({ units, repeated }: SectionPart): string {
  const header = units[0]?.kind === 'row' && repeated.length === 0 ? units[0].header : undefined
  let text = header === undefined ? '' : header
  for (const unit of [...repeated, ...units]) text += text === '' ? unit.text : unit.joint + unit.text
  return text
}

/** Updates the headings with those of a part; @returns the headings at its start */
function headingOver(headings: Unit[], units: Unit[], label: string | undefined): string {
  let over: string | undefined
  for (const unit of units) {
    if (unit.kind !== 'heading') over ??= pathOf(headings, label)
    else {
      while (headings.length > 0 && headings.at(-1)!.level! >= unit.level!) headings.pop()
      headings.push(unit)
    }
  }
  return over ?? pathOf(headings, label)
}

function pathOf(headings: Unit[], label: string | undefined): string {
  const texts = headings.map(({ text }) => text)
  // A chapter's label may equal its heading.
  const called = label === undefined || label === texts[0] ? [] : [label]
  return [...called, ...texts].join(' > ').slice(-HEADING_CHARACTERS)
}
