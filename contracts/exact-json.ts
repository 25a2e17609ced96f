// JSON whose numbers keep their digits: a number that JavaScript would round is kept as the text that it was written as.

/** A number with more digits or a larger exponent than a JavaScript number holds. `JSON.stringify` writes it as it was read. */
export interface RawNumber {
  readonly rawJSON: string
}

/** Of ECMAScript 2026, in Node and Deno; TypeScript has no types for it yet. */
const json = JSON as unknown as {
  parse(text: string, revive: (key: string, value: unknown, context: { source?: string }) => unknown): unknown
  rawJSON(text: string): RawNumber
  isRawJSON(value: unknown): value is RawNumber
}

/** Matches at least every text with a number that may be rounded; others are parsed without a function call for each value. */
const LONG = /(?:^|[:,[\s])-?\d(?:[\d.]{15}|[\d.]{0,14}[eE])/

/** Longer ones are not compared: they are kept as text. */
const LONGEST = 400
/** Most digits of `toPrecision`. */
const MOST_DIGITS = 100

export const isRawNumber = (value: unknown): value is RawNumber => json.isRawJSON(value)

/** Whether a JSON text may hold a number that JavaScript would round. */
export const mayRound = (text: string): boolean => LONG.test(text)

/** As `JSON.parse`, with a `RawNumber` for each number that it would round. @throws SyntaxError */
export function parseExact(text: string): unknown {
  if (!mayRound(text)) return JSON.parse(text) as unknown
  return json.parse(text, (_, value, { source }) =>
    typeof value === 'number' && source !== undefined && isRounded(source, value) ? json.rawJSON(source) : value,
  )
}

/** The value with JavaScript numbers only, finite ones: for checks against a schema, not to be passed on. */
export function rounded(value: unknown): unknown {
  if (isRawNumber(value)) {
    const number = Number(value.rawJSON)
    return Number.isFinite(number) ? number : Math.sign(number) * Number.MAX_VALUE
  }
  if (Array.isArray(value)) return value.map(rounded)
  if (typeof value !== 'object' || value === null) return value
  // Own keys only, `__proto__` included.
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, rounded(each)]))
}

/**
 * Whether a JavaScript number cannot stand for it: it has digits that the nearest one does not have, or no number is near. One
 * that a program wrote with the 17 digits of a double, such as `0.10000000000000001`, is not lost.
 */
export function isLost({ rawJSON }: RawNumber): boolean {
  const value = Number(rawJSON)
  if (rawJSON.length > LONGEST || !Number.isFinite(value) || value === 0) return true
  const digits = digitsOf(rawJSON)
  const count = digits.indexOf('e')
  return count > MOST_DIGITS || digitsOf(value.toPrecision(count)) !== digits
}

function isRounded(source: string, value: number): boolean {
  return source.length > LONGEST || !Number.isFinite(value) || digitsOf(source) !== digitsOf(String(value))
}

/** The significant digits of a number with its exponent: equal for equal numbers, however they are written. */
function digitsOf(text: string): string {
  const [, whole = '', fraction = '', exponent = '0'] = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? []
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  if (significant === '') return '0'
  return `${significant}e${BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - significant.length)}`
}
