// Numbers as an application displayed them, with the digits that it rounded away.
import { plainNumber } from './number-format.ts'

/** A number with separators. */
const NUMBER = /\d(?:[\d.,'’\u00a0\u202f ]*\d)?/

/**
 * What is displayed, with all digits of the value.
 * @param shown empty for a value that is not displayed
 */
export function withAllDigits(shown: string, value: string, isPercentage: boolean): string {
  if (/^-?\d{16,}$/.test(value)) return value
  const number = Number(value)
  if (Number.isNaN(number)) return shown
  const all = plainNumber(number)
  if (shown === '') return number === 0 ? '' : all
  const found = NUMBER.exec(shown)
  // A text in place of a number.
  if (!found) return shown
  const wanted = Math.abs(isPercentage ? Number((number * 100).toPrecision(15)) : number)
  const readings = ['.', ','].map((point) => ({ point, ...readingOf(found[0], point) }))
  if (readings.some((each) => each.number === wanted)) return shown
  const rounded = readings.find((each) => Math.abs(each.number - wanted) <= 0.5 * 10 ** -each.decimals * (1 + 1e-9))
  // A fraction, an exponent or thousands: shown exactly or not, its value says all.
  if (!rounded || /\//.test(shown)) return isExact(shown, Math.abs(number)) ? shown : all
  const [whole = '', decimals = ''] = plainNumber(wanted).split('.')
  const kept = rounded.decimals > 0 ? found[0].slice(0, found[0].length - rounded.decimals - 1) : found[0]
  // Rounding may have changed the whole part.
  const front = kept.replaceAll(/\D/g, '').replace(/^0+(?=\d)/, '') === whole ? kept : whole
  return shown.replace(found[0], `${front}${rounded.point}${decimals}`)
}

function readingOf(text: string, point: string): { number: number; decimals: number } {
  const at = text.lastIndexOf(point)
  const decimals = at < 0 ? '' : text.slice(at + 1)
  const whole = (at < 0 ? text : text.slice(0, at)).replaceAll(/\D/g, '')
  return { number: Number(`${whole}.${decimals.replaceAll(/\D/g, '')}`), decimals: decimals.length }
}

/** `1 1/4`, `1.5E+03`. */
function isExact(shown: string, value: number): boolean {
  const fraction = /^\D*?(?:(\d+) )?(\d+)\/(\d+)\D*$/.exec(shown)
  const number = fraction
    ? Number(fraction[1] ?? 0) + Number(fraction[2]) / Number(fraction[3])
    : Number(shown.replace(',', '.'))
  return Math.abs(number - value) <= value * 1e-12
}
