// HTML elements as Markdown with tables: turndown's rules, and custom ones for tables, for which its plugins keep HTML or
// lose cells.
import TurndownService from 'turndown'
import { scripted } from './scripts.ts'
import { cellsOf, fillSpans, MAX_COLUMNS } from './table-grid.ts'

/** Of what would begin a block, which a cell cannot: `\-7.5`, `2\. May`. */
const BLOCK_ESCAPE = /^\\(?=[-+=#>])|^(\d+)\\(?=\.)/

/** Changes the element. */
export function toMarkdown(element: Element): string {
  const service = new TurndownService({
    headingStyle: 'atx',
    codeBlockStyle: 'fenced',
    bulletListMarker: '-',
    emDelimiter: '*',
  })
  for (const table of element.querySelectorAll('table')) if (!table.querySelector('table')) fillSpans(table)
  const columns = new Map<Element, number>()
  /** Number of columns of the table around a node; 0 for a layout table. */
  const columnsAround = (node: Node): number => {
    const table = (node as Element).closest('table')
    if (!table) return 0
    const known = columns.get(table)
    if (known !== undefined) return known
    const counted = table.querySelector('table') ? 0 : countColumns(table)
    columns.set(table, counted < 2 ? 0 : counted)
    return columns.get(table)!
  }

  service.addRule('struck', {
    filter: ['del', 's'],
    replacement: (content) => (content.trim() ? `~~${content}~~` : ''),
  })
  service.addRule('cell', {
    filter: ['td', 'th'],
    replacement(content, node) {
      if (columnsAround(node) === 0) return `\n\n${content}\n\n`
      const text = content
        .trim()
        .replace(BLOCK_ESCAPE, '$1')
        .replaceAll(/\s*\n\s*/g, ' ')
        .replaceAll('|', String.raw`\|`)
      return `| ${text} `
    },
  })
  service.addRule('row', {
    filter: 'tr',
    replacement(content, node) {
      const width = columnsAround(node)
      if (width === 0) return `\n\n${content}\n\n`
      const row = node as Element
      const line = `\n${content}|`
      if (row.closest('table')?.querySelector('tr') !== row) return line
      const rule = `\n|${' --- |'.repeat(width)}`
      // A Markdown table requires a header; a table without one gets an empty one.
      return row.querySelector('th')
        ? line + '  |'.repeat(width - widthOf(row)) + rule
        : `\n|${'  |'.repeat(width)}${rule}${line}`
    },
  })
  service.addRule('script', {
    filter: ['sup', 'sub'],
    replacement(content, node) {
      const text = (node.textContent ?? '').trim()
      if (content.includes('](')) return content
      const place = node.nodeName === 'SUP' ? 'above' : 'below'
      const small = scripted(text, place, node.previousSibling?.textContent ?? '')
      return small === text ? content : small
    },
  })
  service.addRule('formula', {
    filter: (node) => node.nodeName === 'CODE' && node.getAttribute('class') === 'muxi-tex',
    replacement: (_, node) => `$${(node.textContent ?? '').replaceAll(/\s+/g, ' ').trim()}$`,
  })
  service.addRule('label', {
    filter: (node) => node.nodeName === 'SPAN' && node.getAttribute('class') === 'muxi-label',
    // The space behind it is that of the element.
    replacement: (_, node) => (node.textContent ?? '').trim(),
  })
  service.addRule('labelled', {
    filter: (node) => node.nodeName === 'LI' && node.hasAttribute('data-label'),
    replacement(content, node) {
      const label = (node as Element).getAttribute('data-label')!
      const lines = content.replaceAll(/^\n+|\n+$/g, '')
      const text = label === '' ? lines : lines.replaceAll('\n', '\n    ')
      return `${label === '' ? '' : `${label} `}${text}${content.endsWith('\n') ? '\n' : ''}${node.nextSibling ? '\n' : ''}`
    },
  })
  service.addRule('rows', { filter: ['thead', 'tbody', 'tfoot'], replacement: (content) => content })
  service.addRule('caption', { filter: 'caption', replacement: (content) => `\n\n${content.trim()}\n\n` })
  service.addRule('columns', { filter: ['colgroup', 'col'], replacement: () => '' })
  service.addRule('table', { filter: 'table', replacement: (content) => `\n\n${content.trim()}\n\n` })
  return service.turndown(element as unknown as TurndownService.Node)
}

function countColumns(table: Element): number {
  return Math.min(MAX_COLUMNS, Math.max(0, ...[...table.querySelectorAll('tr')].slice(0, 1_000).map(widthOf)))
}

function widthOf(row: Element): number {
  return Math.min(MAX_COLUMNS, cellsOf(row).length)
}
