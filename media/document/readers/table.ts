// Rows of cells as pages of Markdown tables, each with the header above it.
import type { Page } from '../../page.ts'
import { PAGE_CHARACTERS } from './pages.ts'

/** Longest cell, in characters. */
const MAX_CELL = 8_192

export type UnnumberedPage = Omit<Page, 'page'>

/**
 * The first row is the header, unless it contains numbers: then the columns are numbered.
 * @param label of each of its pages
 */
export function tableParts(rows: readonly string[][], label?: string): UnnumberedPage[] {
  const filled = rows.filter((row) => row.some((cell) => cell.trim() !== ''))
  const width = Math.max(0, ...filled.slice(0, 1_000).map((row) => row.length))
  if (width === 0) return []
  const hasHeader = filled.length > 1 && !filled[0]!.some((cell) => /^[\s\d.,:%€$£-]*\d[\s\d.,:%€$£-]*$/.test(cell))
  const names = hasHeader ? filled[0]! : Array.from({ length: width }, (_, index) => `Column ${index + 1}`)
  const above = tableMarkdown([[...names, ...Array<string>(Math.max(0, width - names.length)).fill('')]])
  const parts: UnnumberedPage[] = []
  let text = above
  for (const row of filled.slice(hasHeader ? 1 : 0)) {
    const next = line(row, width)
    if (text.length + next.length > PAGE_CHARACTERS && text !== above) {
      parts.push(part(text, label))
      text = above
    }
    text += `\n${next}`
  }
  return [...parts, part(text, label)]
}

/** A table whose first row is its header. */
export function tableMarkdown(rows: readonly string[][]): string {
  const [header = [], ...others] = rows
  const width = header.length
  return [line(header, width), `|${' --- |'.repeat(width)}`, ...others.map((row) => line(row, width))].join('\n')
}

function part(text: string, label: string | undefined): UnnumberedPage {
  return { text, ...(label !== undefined && { label }) }
}

function line(row: readonly string[], width: number): string {
  const cells = Array.from({ length: Math.max(width, row.length) }, (_, index) =>
    (row[index] ?? '')
      .slice(0, MAX_CELL)
      .trim()
      .replaceAll(/\s*[\r\n]+\s*/g, ' ')
      .replaceAll('|', String.raw`\|`)
      .toWellFormed(),
  )
  return `| ${cells.join(' | ')} |`
}
