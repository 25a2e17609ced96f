// The content of a page as structured blocks, and as plain text.
import { cellsOf, isRuleRow, type Piece, piecesOf, withoutMarks } from './markdown.ts'

export interface BlockPosition {
  /** From 1. */
  page: number
  /** Offset and length in the text of the page, in characters. */
  offset: number
  length: number
}

/** All texts are without Markdown syntax. */
export type Block = { position: BlockPosition } & (
  | { type: 'heading'; level: number; text: string }
  | { type: 'paragraph'; text: string }
  /** `depth` from 0. */
  | { type: 'list'; ordered: boolean; items: { text: string; depth: number }[] }
  /** With `header` the first row is the header. */
  | { type: 'table'; header: boolean; rows: string[][] }
  | { type: 'code'; text: string; language?: string }
  | { type: 'image'; alt: string; url: string }
)

/** The blocks of a page, in order. */
export function blocksOf({ page, text }: { page: number; text: string }): Block[] {
  const blocks: Block[] = []
  let list: { block: Extract<Block, { type: 'list' }>; indents: number[] } | undefined
  for (const piece of piecesOf(text)) {
    const position = { page, offset: piece.from, length: piece.to - piece.from }
    if (piece.kind === 'item') {
      const { indent, ordered, words } = readItem(piece)
      const outer = list?.indents.filter((each) => each < indent) ?? []
      if (!list || (outer.length === 0 && list.block.ordered !== ordered)) {
        list = { block: { type: 'list', ordered, items: [], position }, indents: [] }
        blocks.push(list.block)
      }
      list.indents = [...outer, indent]
      list.block.items.push({ text: words, depth: outer.length })
      list.block.position.length = piece.to - list.block.position.offset
    } else {
      list = undefined
      if (piece.kind !== 'rule') blocks.push({ ...contentOf(piece, piece.kind), position })
    }
  }
  return blocks
}

type Content<B> = B extends unknown ? Omit<B, 'position'> : never

function contentOf({ lines, level, language }: Piece, kind: Exclude<Piece['kind'], 'item' | 'rule'>): Content<Block> {
  switch (kind) {
    case 'heading':
      return { type: 'heading', level: level!, text: withoutMarks(lines[0]!).trim() }
    case 'table': {
      const header = lines.length > 1 && isRuleRow(lines[1]!)
      return { type: 'table', header, rows: lines.filter((_, index) => index !== 1 || !header).map(cellsOf) }
    }
    case 'code':
      return { type: 'code', text: lines.join('\n'), ...(language !== undefined && { language }) }
    case 'image':
      return { type: 'image', alt: withoutMarks(lines[0]!).trim(), url: /\(([^()]*)\)\s*$/.exec(lines[0]!)?.[1] ?? '' }
    case 'paragraph':
      return { type: 'paragraph', text: withoutMarks(lines.map((line) => line.trim()).join('\n')) }
  }
}

function readItem({ lines }: Piece): { indent: number; ordered: boolean; words: string } {
  const [mark = ''] = /^\s*(?:[-*+•]|\d{1,3}[.)])\s+/.exec(lines[0]!) ?? []
  const words = [lines[0]!.slice(mark.length), ...lines.slice(1)].map((line) => line.trim()).join('\n')
  return { indent: mark.search(/\S/), ordered: /\d/.test(mark), words: withoutMarks(words) }
}

/** A page in the same layout without Markdown syntax; cells of a table are separated by tabs. */
export function plainText(markdown: string): string {
  let text = ''
  let end = 0
  for (const piece of piecesOf(markdown)) {
    text += markdown.slice(end, piece.from) + plainPiece(piece)
    end = piece.to
  }
  return text + markdown.slice(end)
}

function plainPiece({ kind, lines }: Piece): string {
  switch (kind) {
    case 'table':
      return lines
        .filter((line, index) => index !== 1 || !isRuleRow(line))
        .map((line) => cellsOf(line).join('\t'))
        .join('\n')
    case 'code':
    case 'rule':
      return lines.join('\n')
    default:
      return withoutMarks(lines.join('\n'))
  }
}
