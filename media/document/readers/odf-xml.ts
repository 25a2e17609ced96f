// Elements of OpenDocument: rows, repetitions, whitespace.
import { LABEL_CLASS } from './markup.ts'
import { attribute, childrenOf, escapeHtml, nameOf } from './xml.ts'

/** Limit of repeated cells and rows: the number is untrusted. */
const MAX_REPEATS = 200
const ROWS = ['table-header-rows', 'table-rows', 'table-row-group', 'table-row']

/** Without those of tables within. */
export function rowsOf(table: Element): Element[] {
  return childrenOf(table, ...ROWS).flatMap((child) => {
    if (nameOf(child) !== 'table-row') return rowsOf(child)
    return Array.from({ length: repeatsOf(child, 'rows') }, () => child)
  })
}

/** How often a cell or a row is there. */
export function repeatsOf(element: Element, unit: 'columns' | 'rows'): number {
  return Math.min(Number(attribute(element, `number-${unit}-repeated`) ?? 1) || 1, MAX_REPEATS)
}

/** The number of an item or a heading. */
export function labelHtml(label: string): string {
  return `<span class="${LABEL_CLASS}">${escapeHtml(label)}</span>`
}

/** Whitespace elements, since XML collapses spaces. */
export function spaceOf(element: Element): string | undefined {
  if (nameOf(element) === 'tab' || nameOf(element) === 'line-break') return ' '
  if (nameOf(element) !== 's') return undefined
  return ' '.repeat(Math.min(Math.max(Number(attribute(element, 'c') ?? 1) || 1, 1), 100))
}
