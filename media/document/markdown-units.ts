// The Markdown of a page as a sequence of units that are never cut: headings, sentences, list items, table rows, lines of
// code.
import { isRuleRow, type Piece, piecesOf, withoutMarks } from './markdown.ts'
import { cutLong, sentencesOf } from './sentences.ts'

export interface Unit {
  kind: 'heading' | 'sentence' | 'line' | 'row'
  text: string
  /** Separator from the previous unit. */
  joint: ' ' | '\n' | '\n\n'
  /** Of a heading, 1 to 6. */
  level?: number
  /** Of a table row: the header rows, repeated where a passage starts within the table. */
  header?: string
}

/** Dot leaders between a title and its page number. */
const LEADERS = /(?:[ \t]?\.){4,}/g
const ESCAPED = /\\([_*#~`<>[\]])/g

/** @param most longest unit, in characters */
export function unitsOf(markdown: string, most: number): Unit[] {
  return piecesOf(markdown).flatMap((piece) => unitsOfPiece(piece, most))
}

function unitsOfPiece(piece: Piece, most: number): Unit[] {
  const lines = piece.lines.map(withoutNoise)
  switch (piece.kind) {
    case 'heading':
      return [{ kind: 'heading', text: lines[0]!.trim(), joint: '\n\n', level: piece.level! }]
    case 'table':
      return rowsOf(lines, most)
    case 'code':
      return lines.flatMap((line) => cut('line', line.trimEnd(), '\n', most))
    case 'image':
      return cut('sentence', withoutMarks(piece.lines[0]!).trim(), '\n\n', most)
    case 'rule':
      return []
    case 'item':
    case 'paragraph':
      return textUnits(lines, piece.kind === 'item' ? '\n' : '\n\n', most)
  }
}

function withoutNoise(line: string): string {
  const unescaped = line.includes('\\') ? line.replace(ESCAPED, '$1') : line
  return unescaped.includes('....') || unescaped.includes(' . ') ? unescaped.replace(LEADERS, ' …') : unescaped
}

function rowsOf(lines: string[], most: number): Unit[] {
  let header = ''
  return lines.flatMap((line, index) => {
    const row = line.trim()
    if (index === 0) header = row
    else if (index === 1 && isRuleRow(row)) header += `\n${row}`
    const joint = index === 0 ? '\n\n' : '\n'
    return cutLong(row, most).map((text): Unit => ({ kind: 'row', text, joint, ...(index > 0 && { header }) }))
  })
}

function textUnits(lines: string[], joint: '\n' | '\n\n', most: number): Unit[] {
  const trimmed = lines.map((line) => line.trim())
  // Many lines without sentences: records, whose line breaks are significant.
  if (trimmed.length >= 4 && !trimmed.some((line) => /\p{L}[.!?。]["')\]]?(?:\s|$)/u.test(line)))
    return trimmed.flatMap((line, index) => cut('line', line, index === 0 ? joint : '\n', most))
  return sentencesOf(trimmed.join(' ')).flatMap((text, index) => cut('sentence', text, index === 0 ? joint : ' ', most))
}

function cut(kind: 'sentence' | 'line', text: string, joint: Unit['joint'], most: number): Unit[] {
  if (text.length <= most) return text.trim() === '' ? [] : [{ kind, text, joint }]
  return cutLong(text, most).map((part, index) => ({ kind, text: part, joint: index === 0 ? joint : ' ' }))
}
