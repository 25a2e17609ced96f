// Numbers of spreadsheets as the application shows them: numfmt applies the format, extended where it would round.
import { dateFromSerial, format, getFormatDateInfo, getFormatFromId, getFormatInfo, tokenize } from 'numfmt'

/** Days between the two epochs of Excel. */
const EPOCH_1904 = 1_462
/** 9999-12-31 */
const LAST_DAY = 2_958_466
/** Most decimals that are added to a format. */
const MAX_DECIMALS = 20
const SECONDS_A_DAY = 86_400
const GENERAL = 'General'
/** Digits that Excel stores and shows; more are the error of binary fractions. */
const PRECISION = 15

interface Known {
  isDate: boolean
  /** A date with day, month and year in digits: its parts. */
  parts?: { time: boolean; seconds: boolean }
  isFraction: boolean
  sections: Section[]
}

/** A part of a format, for positive numbers, for negative ones … */
interface Section {
  before: string
  after: string
  /** Decimals that it shows, and by how many places it moves the point: 2 for percent, -3 for thousands. */
  decimals: number
  shift: number
  hasPoint: boolean
  isScientific: boolean
  /** Whether it shows a number at all. */
  isNumber: boolean
}

const known = new Map<string, Known>()

/** The format of a built-in number. */
export function builtInFormat(id: number): string {
  return getFormatFromId(id) ?? GENERAL
}

/**
 * A number as shown. Dates with day, month and year in digits are ISO dates, because their order depends on the country.
 * @param raw as stored
 */
export function shownNumber(raw: string, pattern: string, date1904 = false): string {
  const value = Number(raw)
  if (raw.trim() === '' || Number.isNaN(value)) return raw
  // An integer of more digits than a number holds, such as an identifier.
  if (raw.length > PRECISION && /^-?\d{16,}$/.test(raw)) return raw
  const info = pattern === GENERAL || pattern === '@' ? undefined : knownFormat(pattern)
  if (!info) return plainNumber(value)
  if (info.isDate) return shownDate(value, pattern, info, date1904) ?? plainNumber(value)
  const shown = formatted(extended(pattern, info, value), value)
  if (shown === undefined || (shown === '' && value !== 0)) return plainNumber(value)
  return info.isFraction && !isExactFraction(shown, value) ? plainNumber(value) : shown
}

/** Text of a cell, with what its format adds. */
export function shownText(text: string, pattern: string): string {
  return pattern.includes('@') && /["\\]/.test(pattern) ? (formatted(pattern, text) ?? text) : text
}

/** All digits, without an exponent where there are few zeros. */
export function plainNumber(value: number): string {
  if (Number.isSafeInteger(value)) return String(value + 0)
  const rounded = Number(value.toPrecision(PRECISION))
  const text = String(Object.is(rounded, -0) ? 0 : rounded)
  const small = /^(-?)(\d)(?:\.(\d+))?e-(\d+)$/.exec(text)
  if (!small || Number(small[4]) > MAX_DECIMALS) return text
  return `${small[1]}0.${'0'.repeat(Number(small[4]) - 1)}${small[2]}${small[3] ?? ''}`
}

function knownFormat(pattern: string): Known | undefined {
  const found = known.get(pattern)
  if (found) return found
  try {
    const { isDate, type } = getFormatInfo(pattern)
    const info: Known = { isDate, isFraction: type === 'fraction', sections: isDate ? [] : sectionsOf(pattern) }
    if (isDate) {
      const { year, month, day, hours, minutes, seconds } = getFormatDateInfo(pattern)
      const names = tokenize(pattern).some(({ type, value }) => type === 'DATETIME' && /m{3}|d{3}|[gbe]/i.test(value))
      if (year && month && day && !names) info.parts = { time: hours || minutes, seconds }
    }
    known.set(pattern, info)
    return info
  } catch {
    return undefined
  }
}

function formatted(pattern: string, value: number | string): string | undefined {
  try {
    // Separators are the same in all cells, whatever the country of a currency.
    const neutral = pattern.replaceAll(/\[\$([^\]-]+)-[^\]]*\]/g, '[$$$1]')
    return format(neutral, value).replaceAll(/\s+/gu, ' ').trim()
  } catch {
    return undefined
  }
}

function shownDate(value: number, pattern: string, { parts }: Known, date1904: boolean): string | undefined {
  // A duration counts from zero; a time of day shows no date.
  const { year, month, day } = getFormatDateInfo(pattern)
  const hasDate = year || month || day
  const serial = hasDate && date1904 ? value + EPOCH_1904 : value
  // The application shows such dates as a row of #.
  if (hasDate && (value < 0 || serial >= LAST_DAY)) return undefined
  const { whole, fraction } = secondsOf(serial)
  if (!parts) {
    try {
      const shown = format(fraction === '' ? pattern : withFraction(pattern, fraction.length), serial)
      return shown.replaceAll(/\s+/gu, ' ').trim()
    } catch {
      return undefined
    }
  }
  const [y, m, d, ...time] = dateFromSerial(parts.time ? whole : Math.floor(serial))
  const two = (part: number) => String(part).padStart(2, '0')
  const date = `${String(y).padStart(4, '0')}-${two(m)}-${two(d)}`
  if (!parts.time) return date
  const clock = (parts.seconds ? time : time.slice(0, 2)).map(two).join(':')
  return `${date} ${clock}${parts.seconds && fraction !== '' ? `.${fraction}` : ''}`
}

/** A serial number to the second, and the digits of its milliseconds: what is below them is the error of binary fractions. */
function secondsOf(serial: number): { whole: number; fraction: string } {
  const milliseconds = Math.round(serial * SECONDS_A_DAY * 1_000)
  const seconds = Math.floor(milliseconds / 1_000)
  const rest = milliseconds - seconds * 1_000
  return {
    whole: seconds / SECONDS_A_DAY,
    fraction: rest === 0 ? '' : String(rest).padStart(3, '0').replace(/0+$/, ''),
  }
}

/** The format with at least so many decimals of its seconds. */
function withFraction(pattern: string, decimals: number): string {
  const tokens = tokenize(pattern)
  const parts: string[] = []
  for (let at = 0; at < tokens.length; at += 1) {
    const { type, value, raw } = tokens[at]!
    parts.push(raw)
    if (!/^(?:DATETIME|DURATION)$/.test(type) || !/^s+$/i.test(String(value))) continue
    let known = 0
    if (tokens[at + 1]?.type === 'POINT') at += 1
    for (; tokens[at + 1]?.type === 'ZERO'; at += 1) known += 1
    parts.push('.', '0'.repeat(Math.max(known, decimals)))
  }
  return parts.join('')
}

/** The format with as many decimals as the number has. */
function extended(pattern: string, { sections }: Known, value: number): string {
  const [digits = '', exponent = '0'] = Math.abs(value)
    .toExponential(PRECISION - 1)
    .split('e')
  const significant = digits.replace('.', '').replace(/0+$/, '').length
  const decimals = significant - 1 - Number(exponent)
  let changed = false
  const parts = sections.map(({ before, after, ...section }) => {
    const wanted = section.isScientific ? significant - 1 : decimals - section.shift
    const missing = section.isNumber ? wanted - section.decimals : 0
    if (missing <= 0 || missing > MAX_DECIMALS) return before + after
    changed = true
    return `${before}${section.hasPoint ? '' : '.'}${'0'.repeat(missing)}${after}`
  })
  return changed ? parts.join(';') : pattern
}

function sectionsOf(pattern: string): Section[] {
  const sections: Section[] = []
  let tokens: ReturnType<typeof tokenize> = []
  for (const token of [...tokenize(pattern), undefined]) {
    if (token && token.type !== 'BREAK') {
      tokens.push(token)
      continue
    }
    sections.push(sectionOf(tokens))
    tokens = []
  }
  return sections
}

function sectionOf(tokens: ReturnType<typeof tokenize>): Section {
  const count = (type: string) => tokens.filter((token) => token.type === type).length
  const isDigit = ({ type }: { type: string }) => type === 'ZERO' || type === 'HASH' || type === 'QMARK'
  const point = tokens.findIndex(({ type }) => type === 'POINT')
  const exponent = tokens.findIndex(({ type }) => type === 'EXP')
  const mantissa = exponent < 0 ? tokens : tokens.slice(0, exponent)
  const last = Math.max(mantissa.findLastIndex(isDigit), point)
  const raw = (part: typeof tokens) => part.map((token) => token.raw).join('')
  return {
    before: raw(tokens.slice(0, last + 1)),
    after: raw(tokens.slice(last + 1)),
    decimals: point < 0 ? 0 : mantissa.slice(point).filter(isDigit).length,
    shift:
      2 * count('PERCENT') -
      3 * tokens.filter(({ type }) => type === 'SCALE').reduce((sum, { raw }) => sum + raw.length, 0),
    hasPoint: point >= 0,
    isScientific: exponent >= 0,
    isNumber: mantissa.some(isDigit) && count('SLASH') === 0 && count('DATETIME') + count('DURATION') === 0,
  }
}

/** `1 1/4` of 1.25, not `1/3` of 0.3. */
function isExactFraction(shown: string, value: number): boolean {
  const found = /^(-?)(?:(\d+)(?: |$))?(?:(\d+)\/(\d+))?$/.exec(shown)
  if (!found) return false
  const size = Number(found[2] ?? 0) + (found[4] ? Number(found[3]) / Number(found[4]) : 0)
  return Math.abs(size - Math.abs(value)) <= Math.abs(value) * 1e-12
}
