// What Tesseract read, as paragraphs; a table, which it reads column by column, as its rows.
import type { Paragraph, Page as RecognizedPage, Word } from 'tesseract.js'
import { alignedTables } from '../document/aligned-rows.ts'
import { around } from '../document/pdf-grids.ts'
import type { PdfItem } from '../document/pdf-lines.ts'
import { markdownOf } from '../document/pdf-tables.ts'
import { boxOf } from '../document/running-text.ts'
import type { Recognized } from '../page.ts'

/** A word in the height of its line. */
interface PlacedWord extends PdfItem {
  confidence: number
}

interface Read {
  text: string
  confidence: number
  box: number[]
}

/** Paragraphs and tables, each with its confidence and bounding box. */
export function toRecognized(
  { blocks, confidence }: Pick<RecognizedPage, 'blocks' | 'confidence'>,
  turned: number,
): Recognized {
  const paragraphs = (blocks ?? []).flatMap((block) => block.paragraphs)
  const placed = new Map(paragraphs.flatMap(({ lines }) => lines.flatMap(placedWords)))
  const tables = alignedTables([...placed.values()])
  const tableOf = new Map(tables.flatMap((table) => table.items.map((word) => [word, table] as const)))
  const read: Read[] = []
  const done = new Set<(typeof tables)[number]>()
  for (const paragraph of paragraphs) {
    const words = paragraph.lines.flatMap((line) => line.words).map((word) => placed.get(word)!)
    const own = words.filter((word) => !tableOf.has(word))
    const found = new Set(words.flatMap((word) => tableOf.get(word) ?? []))
    if (found.size === 0 || own.length > 0)
      read.push(readOf(paragraph, found.size === 0 ? undefined : new Set(own), placed))
    for (const table of found) {
      if (done.has(table)) continue
      done.add(table)
      read.push({ text: markdownOf(table), ...summaryOf(table.items) })
    }
  }
  const kept = read.filter(({ text }) => text.trim() !== '')
  return {
    text: kept.map(({ text }) => text).join('\n\n'),
    confidence: Math.round(confidence),
    turned,
    paragraphs: kept.map(({ confidence: sure, box }) => ({ confidence: sure, box })),
  }
}

function placedWords({ bbox, words }: Paragraph['lines'][number]): [Word, PlacedWord][] {
  return words.map((word) => {
    const { x0, x1 } = word.bbox
    const place = { x: x0, y: bbox.y0, width: x1 - x0, height: bbox.y1 - bbox.y0 }
    return [word, { text: word.text, confidence: word.confidence, ...place }]
  })
}

/** A paragraph, or those of its words that stand in no table. */
function readOf(paragraph: Paragraph, own: Set<PlacedWord> | undefined, placed: Map<Word, PlacedWord>): Read {
  if (!own) {
    const { x0, y0, x1, y1 } = paragraph.bbox
    const text = paragraph.lines.map((line) => line.text.trim()).join('\n')
    return { text, confidence: Math.round(paragraph.confidence), box: [x0, y0, x1, y1].map(Math.round) }
  }
  const lines = paragraph.lines.map(({ words }) => words.filter((word) => own.has(placed.get(word)!)))
  const kept = lines.filter((words) => words.length > 0)
  return { text: kept.map((words) => words.map(({ text }) => text).join(' ')).join('\n'), ...summaryOf([...own]) }
}

function summaryOf(words: readonly PlacedWord[]): Pick<Read, 'confidence' | 'box'> {
  const { left, top, right, bottom } = around(words.map(boxOf))
  const sure = words.reduce((sum, { confidence }) => sum + confidence, 0) / words.length
  return { confidence: Math.round(sure), box: [left, top, right, bottom].map(Math.round) }
}
