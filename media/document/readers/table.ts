// Rows of cells as pages of Markdown: lines of text, and tables with the header above each part.
import type { Notice } from '../../../contracts/notices.ts'
import type { Page } from '../../page.ts'
import { type Hints, layOut } from './table-layout.ts'
import { PAGE_CHARACTERS } from './pages.ts'

export type UnnumberedPage = Omit<Page, 'page'>

interface TableOptions {
  /** Of each of its pages. */
  label?: string
  hints?: Hints
  /** Of the first page. */
  notices?: Notice[]
  /** Markdown after the last row. */
  after?: string
}

/** Rows as pages; an empty row may separate two tables. Every page of a table repeats its header. */
export function tableParts(rows: readonly (readonly string[])[], options: TableOptions = {}): UnnumberedPage[] {
  const { label, hints, notices = [], after = '' } = options
  const texts: string[] = []
  let text = ''
  for (const block of layOut(rows, hints)) {
    if ('lines' in block) {
      text = joined(text, block.lines.join('\n\n'))
      continue
    }
    const width = Math.max(block.header.length, ...block.rows.slice(0, 100_000).map((row) => row.length))
    const above = tableMarkdown([block.header], width)
    let isEmpty = true
    text = joined(text, above)
    for (const row of block.rows) {
      const next = line(row, width)
      if (text.length + next.length > PAGE_CHARACTERS && !isEmpty) {
        texts.push(text)
        text = above
      }
      text += `\n${next}`
      isEmpty = false
    }
  }
  texts.push(joined(text, after))
  return texts
    .filter((each) => each !== '')
    .map((each, index) => ({
      text: each,
      ...(label !== undefined && { label }),
      ...(index === 0 && notices.length > 0 && { notices }),
    }))
}

/** A table whose first row is its header. */
export function tableMarkdown(rows: readonly (readonly string[])[], width = rows[0]?.length ?? 0): string {
  const [header = [], ...others] = rows
  return [line(header, width), `|${' --- |'.repeat(width)}`, ...others.map((row) => line(row, width))].join('\n')
}

function joined(before: string, after: string): string {
  return before === '' || after === '' ? before + after : `${before}\n\n${after}`
}

function line(row: readonly string[], width: number): string {
  const cells = Array.from({ length: Math.max(width, row.length) }, (_, index) =>
    (row[index] ?? '')
      .trim()
      .replaceAll(/\s*[\r\n]+\s*/g, ' ')
      .replaceAll('|', String.raw`\|`)
      .toWellFormed(),
  )
  return `| ${cells.join(' | ')} |`
}
