// Raised numerators that liteparse leaves out are taken from the places where pdf.js sees them.
import { expect, it } from 'vitest'
import { withNumerators } from '../../media/document/pdf-fractions.ts'

/** A line of 10 points whose fractions are set with a small numerator and denominator. */
function seenLine(...fractions: [x: number, numerator: string, denominator: string][]) {
  return fractions.flatMap(([x, numerator, denominator]) => {
    const width = 3 * numerator.length
    return [
      { text: numerator, x: x - width, y: 1, width, height: 5 },
      { text: '⁄', x, y: 0, width: 1, height: 10 },
      { text: denominator, x: x + 1, y: 5, width: 3 * denominator.length, height: 5 },
    ]
  })
}
const withAll = (text: string, seen: ReturnType<typeof seenLine>) =>
  withNumerators([{ text, x: 0, y: 0, width: 300, height: 11 }], seen)[0]!.text

it.each([
  [
    'ranges from ⁄4 inch to ⁄16 inch',
    'ranges from 1⁄4 inch to 11⁄16 inch',
    seenLine([80, '1', '4'], [160, '11', '16']),
  ],
  ['a bolt of 2⁄4 inches', 'a bolt of 2 1⁄4 inches', seenLine([80, '1', '4'])],
  ['a bolt of 3⁄4 inches', 'a bolt of 3⁄4 inches', seenLine([80, '3', '4'])],
  ['a quarter (⁄4) elsewhere', 'a quarter (⁄4) elsewhere', seenLine([500, '1', '4'])],
  ['miles ⁄ hours', 'miles ⁄ hours', seenLine([80, 'miles', 'hours'])],
])('%s: %s', (text, expected, seen) => {
  expect(withAll(text, seen)).toBe(expected)
})
