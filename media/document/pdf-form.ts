// Filled forms: each value beside its label, whether the file holds a picture of it or not.
import { mergeNotices, type Notice } from '../../contracts/notices.ts'
import type { PdfField } from './pdf-js.ts'
import { linesOf, type PdfItem } from './pdf-lines.ts'

/**
 * The lines of a page with the values of its fields at their places.
 * @returns undefined when no field is filled in
 */
export function filledForm(items: readonly PdfItem[], fields: readonly PdfField[]): string | undefined {
  const shown = fields.filter(({ isHidden, text }) => !isHidden && text !== '')
  if (!shown.some(({ text }) => text !== '[ ]')) return undefined
  // The file's picture of a value may be of an earlier one.
  const labels = items.filter((item) => !shown.some((field) => isWithin(item, field)))
  const places = shown.map((field) => ({ ...field, ...asTallAsText(field, labels) }))
  return linesOf([...labels, ...places])
    .map(({ text }) => text.replaceAll(/ {2,}/g, ' '))
    .join('\n')
}

/** What is left out of a form on purpose. */
export function hiddenFields(fields: readonly PdfField[]): Notice[] {
  const hidden = fields.filter(({ isHidden, text, kind }) => isHidden && kind === 'text' && text !== '')
  return mergeNotices(hidden.map(() => ({ code: 'left_out', message: 'Hidden form fields', count: 1 })))
}

function isWithin(item: PdfItem, field: PdfItem): boolean {
  const [x, y] = [item.x + item.width / 2, item.y + item.height / 2]
  return x >= field.x && x <= field.x + field.width && y >= field.y && y <= field.y + field.height
}

/** A field may be higher than the line that it stands in: its value begins at its top, or stands in its middle. */
function asTallAsText({ y, height }: PdfField, labels: PdfItem[]): { y: number; height: number } {
  const heights = labels.map((label) => label.height).toSorted((a, b) => a - b)
  const usual = heights[Math.floor(heights.length / 2)] ?? height
  return height > 3 * usual ? { y, height: usual } : { y, height }
}
