// Fractions in a PDF: liteparse leaves out raised numerators (`⁄4` for `1⁄4`), pdf.js tells the place of each figure.
import type { PdfItem } from './pdf-lines.ts'
import { isWithin } from './pdf-seen-text.ts'

const SLASH = '⁄'
/** Most gap between a numerator and its slash, as a share of the slash's height. */
const GAP = 0.15

export function hasFraction(text: string): boolean {
  return text.includes(SLASH)
}

/**
 * Pieces of text with the numerators of their fractions.
 * @param seen all pieces of the page as pdf.js sees them
 */
export function withNumerators<T extends PdfItem>(items: readonly T[], seen: readonly PdfItem[]): T[] {
  return items.map((item) => {
    if (!hasFraction(item.text)) return item
    const slashes = seen.filter((each) => each.text === SLASH && isWithin(each, item)).toSorted((a, b) => a.x - b.x)
    const parts = item.text.split(SLASH)
    // Where they differ, it is not known which is which.
    if (parts.length !== slashes.length + 1) return item
    const whole = slashes.map((slash, index) => withNumerator(parts[index]!, numeratorOf(slash, seen)))
    return { ...item, text: [...whole, parts.at(-1)].join(SLASH) }
  })
}

function withNumerator(before: string, numerator: string): string {
  if (numerator === '' || before.endsWith(numerator)) return before
  // `2⁄4` for `2 1⁄4`
  return /\d$/.test(before) ? `${before} ${numerator}` : before + numerator
}

/** Figures that end where a slash begins. */
function numeratorOf(slash: PdfItem, seen: readonly PdfItem[]): string {
  const found = seen.find(({ text, x, y, width, height }) => {
    const isBeside = Math.abs(x + width - slash.x) <= slash.height * GAP
    return isBeside && /^\d+$/.test(text) && y < slash.y + slash.height && y + height > slash.y
  })
  return found?.text ?? ''
}
