// Numbers of spreadsheets as the application shows them, with all their digits.
import { expect, test } from 'vitest'
import { shownNumber } from '../../media/document/readers/number-format.ts'
import { seeded } from '../support/seeded.ts'

test.each([
  ['12.5', 'General', '12.5'],
  ['0.30000000000000004', 'General', '0.3'],
  ['1E-7', 'General', '0.0000001'],
  ['123456789012', 'General', '123456789012'],
  ['12345678901234567', '#,##0', '12345678901234567'],
  ['12', '0000', '0012'],
  ['1234.5', '#,##0.00', '1,234.50'],
  ['1234.5678', '#,##0.00\\ "€"', '1,234.5678 €'],
  ['12.5', '[$€-407] #,##0.00', '€ 12.50'],
  ['-1234.5', '$#,##0.00_);[Red]($#,##0.00)', '($1,234.50)'],
  ['0', '_(* #,##0.00_);_(* (#,##0.00);_(* "-"??_);_(@_)', '-'],
  ['0', '0;-0;;@', ''],
  ['5', ';;;', '5'],
  ['0.07', '0%', '7%'],
  ['0.12345', '0.0%', '12.345%'],
  ['1234567', '#,##0,"k"', '1,234.567k'],
  ['1234567', '0.00E+00', '1.234567E+06'],
  ['1.25', '# ??/??', '1 1/4'],
  ['0.333333333333333', '# ?/?', '1/3'],
  ['0.3', '# ?/?', '0.3'],
  ['123456789', '000-00-0000', '123-45-6789'],
  ['0.5', 'h:mm', '12:00'],
  ['0.56', 'h:mm AM/PM', '1:26 PM'],
  ['1.5', '[h]:mm:ss', '36:00:00'],
  ['0.05', '[mm]:ss', '72:00'],
  ['45352', 'dd/mm/yyyy', '2024-03-01'],
  ['45352', 'd.m.yy', '2024-03-01'],
  ['45352.25', 'm/d/yy h:mm', '2024-03-01 06:00'],
  ['45292.5242683912', 'yyyy-mm-dd hh:mm:ss', '2024-01-01 12:34:56.789'],
  ['45292.5242683912', 'yyyy-mm-dd hh:mm:ss.000', '2024-01-01 12:34:56.789'],
  ['45292.99999999', 'yyyy-mm-dd hh:mm:ss', '2024-01-01 23:59:59.999'],
  ['45292.524270833333', 'yyyy-mm-dd hh:mm:ss', '2024-01-01 12:34:57'],
  ['45292.5242683912', 'yyyy-mm-dd hh:mm', '2024-01-01 12:34'],
  ['0.5242683912', 'mm:ss.0', '34:56.789'],
  ['0.5242650463', 'h:mm:ss.000 AM/PM', '12:34:56.500 PM'],
  ['1.50000289351852', '[h]:mm:ss', '36:00:00.25'],
  ['45352', 'mmmm yyyy', 'March 2024'],
  ['45352', '[$-407]d. mmmm yyyy', '1. März 2024'],
  ['45352', 'yyyy', '2024'],
  ['60', 'm/d/yyyy', '1900-02-29'],
  ['-1', 'm/d/yyyy', '-1'],
  ['1e9', 'm/d/yyyy', '1000000000'],
  ['1.5', 'a [wrong format', '1.5'],
])('%s as %s is %s', (raw, format, shown) => {
  expect(shownNumber(raw, format)).toBe(shown)
})

test('no format loses or changes a digit', () => {
  const next = seeded(7)
  for (let index = 0; index < 2_000; index += 1) {
    const digits = 1 + Math.floor(next() * 13)
    const raw = String(Number(((next() - 0.3) * 10 ** Math.floor(next() * 8)).toPrecision(digits)))
    for (const format of ['0', '0.00', '#,##0', '#,##0.0;(#,##0.0)', '[>=100]0;0.0', '0.0 "kg"']) {
      const shown = shownNumber(raw, format)
      const value = Number(shown.replaceAll(/[^\d.]/g, '')) * (/^[-(]/.test(shown) ? -1 : 1)
      expect(value, `${raw} as ${format} is ${shown}`).toBe(Number(raw))
    }
  }
})
