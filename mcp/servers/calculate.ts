// The calculator's evaluation: expressions and units, exact if possible, with errors that name the position.
import { isStackOverflow } from '../../contracts/stack-overflow.ts'
import { all, type BigNumber, create, type MathJsInstance, type Unit } from 'mathjs'

export interface Calculation {
  /** An expression, or lines of them. */
  expression: string
  /** Significant digits to show. */
  precision?: number | undefined
}

export interface Conversion {
  value: number
  from: string
  to: string
}

export interface Calculated {
  result: string
  type: string
}

/** Minimum precision of the calculation, and default digits of the result. */
const DIGITS = 64
const SHOWN_DIGITS = 15
/** Guard digits, so that the requested ones are correct. */
const GUARD_DIGITS = 10
/** Digits of a floating-point number. */
const FLOAT_DIGITS = 15
/** Longest result, in characters. */
const MAX_RESULT = 10_000

/** Functions that would change the calculator itself, or inspect expressions. */
const DISABLED =
  'import createUnit reviver parser help evaluate parse compile simplify derivative rationalize resolve'.split(' ')
/** Shadowed by a variable, because the library itself needs the function. */
const scope = () => ({ config: refused('config') })
/** Typographic signs and their ASCII equivalent, of the same length, so that positions stay correct. */
const SIGNS: Record<string, string> = { '×': '*', '·': '*', '÷': '/', '−': '-', '–': '-', ' ': ' ' }

/** The library, and the functions that expressions may not call. */
interface Calculator {
  math: MathJsInstance
  evaluate: (text: string, scope: object) => unknown
}

const exact = calculator({ number: 'BigNumber', precision: DIGITS })
/** For functions that support only floating-point numbers, such as erf. */
const floating = calculator({ number: 'number' })

function calculator(config: { number: 'BigNumber' | 'number'; precision?: number }): Calculator {
  const math = create(all ?? {}, config)
  math.createUnit({
    mph: '1 mi/hour',
    kph: '1 km/hour',
    metre: { definition: '1 m', aliases: ['metres'], prefixes: 'long' },
    nauticalmile: { definition: '1852 m', aliases: ['nauticalmiles', 'nmi'] },
    knot: { definition: '1852 m/hour', aliases: ['knots'] },
    pound: { definition: '1 lbm', aliases: ['pounds'] },
    calorie: { definition: '4.184 J', aliases: ['calories'], prefixes: 'long' },
    cal: { definition: '4.184 J', prefixes: 'short' },
  })
  // Saved before it is disabled for expressions.
  const evaluate = math.evaluate.bind(math) as Calculator['evaluate']
  const ln = (x: never) => math.log(x)
  math.import({ ln, ...Object.fromEntries(DISABLED.map((name) => [name, refused(name)])) }, { override: true })
  return { math, evaluate }
}

function refused(name: string): () => never {
  return () => {
    throw new Error(`Function ${name} is not available here`)
  }
}

/** @throws an error that names the fault and its position */
export function calculate({ expression, precision }: Calculation): Calculated {
  const text = expression.replace(/[×·÷−–\u00a0]/g, (sign) => SIGNS[sign] ?? ' ')
  const digits = Math.max(DIGITS, (precision ?? 0) + GUARD_DIGITS)
  // After a later change of precision, the library still uses cached numbers of the old one.
  const { math, evaluate } = digits === DIGITS ? exact : calculator({ number: 'BigNumber', precision: digits })
  let value: unknown
  try {
    value = evaluate(text, scope())
  } catch (error) {
    value = error instanceof SyntaxError ? undefined : tryFloat(text)
    if (value === undefined) throw located(error, text)
    const shown = Math.min(precision ?? SHOWN_DIGITS, FLOAT_DIGITS)
    return describe(floating.math, value, (number) => formatNumber(number, shown, FLOAT_DIGITS))
  }
  return describe(math, value, (number) => formatNumber(number, precision, digits))
}

/** @throws an error that names the unknown unit, or both incompatible units */
export function convert({ value, from, to }: Conversion): Calculated {
  const unit = unitOf(value, from, 'from')
  const target = unitOf(undefined, to, 'to')
  if (!unit.equalBase(target)) throw new Error(`Cannot convert: '${from}' and '${to}' measure different things`)
  return describe(exact.math, unit.to(target), (number) => formatNumber(number, undefined, DIGITS))
}

function unitOf(value: number | undefined, name: string, option: string): Unit {
  try {
    return value === undefined
      ? exact.math.unit(name)
      : exact.math.unit(exact.math.bignumber(String(value)) as never, name)
  } catch (cause) {
    throw new Error(`Cannot convert: '${option}' must be a unit such as km, mph, degF or kg/m^3, got '${name}'`, {
      cause,
    })
  }
}

function tryFloat(text: string): unknown {
  try {
    return floating.evaluate(text, scope())
  } catch {
    return undefined
  }
}

function describe(math: MathJsInstance, value: unknown, format: (value: number | BigNumber) => string): Calculated {
  const type = math.typeOf(value as never)
  if (value === undefined || value === null) throw new Error('Cannot calculate: the expression is empty')
  if (type === 'function') throw new Error('Cannot calculate: a function was defined but not used')
  if (type === 'ResultSet') {
    const lines = (value as { entries: unknown[] }).entries.filter((line) => typeof line !== 'function')
    if (lines.length === 0) throw new Error('Cannot calculate: every line ends with a semicolon, so there is no result')
    const results = lines.map((line) => describe(math, line, format))
    return { result: bounded(results.map(({ result }) => result).join('\n')), type: results.at(-1)?.type ?? 'Text' }
  }
  const result =
    typeof value === 'string' ? value : math.format(value, (each: unknown) => formatPart(math, each, format))
  return { result: bounded(result), type: TYPES[type] ?? type }
}

/** Names of types in answers, where the library's names are less clear. */
const TYPES: Record<string, string> = {
  BigNumber: 'number',
  bigint: 'number',
  Fraction: 'fraction',
  Complex: 'complex',
  Unit: 'quantity',
  DenseMatrix: 'matrix',
  SparseMatrix: 'matrix',
  Array: 'matrix',
  Object: 'object',
}

function formatPart(math: MathJsInstance, value: unknown, format: (value: number | BigNumber) => string): string {
  if (typeof value === 'number' || math.isBigNumber(value)) return format(value)
  if (typeof value === 'bigint' || typeof value === 'string') return String(value)
  return math.format(value as never, SHOWN_DIGITS)
}

/** Integers in full while every digit is exact, others by significant digits. */
function formatNumber(value: number | BigNumber, precision: number | undefined, digits: number): string {
  if (Number.isNaN(Number(value))) throw new Error('Cannot calculate: the result is not a number')
  const number = typeof value === 'number' && Number.isFinite(value) ? exact.math.bignumber(String(value)) : value
  if (typeof number === 'number' || !number.isFinite())
    throw new Error('Cannot calculate: the result is not finite (a division by zero, or too large)')
  if (number.isInteger() && number.precision(true) <= digits) return number.toFixed()
  return exact.math.format(number, { precision: precision ?? SHOWN_DIGITS, lowerExp: -9, upperExp: 21 })
}

function bounded(result: string): string {
  if (result.length > MAX_RESULT)
    throw new Error(`Cannot calculate: the result has ${result.length} characters, at most ${MAX_RESULT} can be shown`)
  return result
}

/** The error with its position marked below the expression. */
function located(error: unknown, text: string): Error {
  if (!(error instanceof Error)) return new Error(String(error))
  if (isStackOverflow(error))
    return new Error('Cannot calculate: the expression is nested too deeply', { cause: error })
  const what = error.message.replace(/ \(char \d+\)$/, '')
  const at = positionOf(error, text)
  if (at === undefined) return new Error(`Cannot calculate: ${what}`, { cause: error })
  const before = text.slice(0, at).split('\n')
  const line = text.split('\n')[before.length - 1] ?? ''
  const column = before.at(-1)?.length ?? 0
  const where = before.length > 1 || text.includes('\n') ? `line ${before.length}, character` : 'character'
  const from = Math.max(0, column - 60)
  const shown = line.slice(from, from + 100)
  return new Error(`Cannot calculate: ${what}, at ${where} ${column + 1}\n${shown}\n${' '.repeat(column - from)}^`, {
    cause: error,
  })
}

function positionOf(error: Error & { char?: number }, text: string): number | undefined {
  if (typeof error.char === 'number') return Math.min(error.char - 1, text.length)
  const [, name] =
    /(?:Undefined symbol|Undefined function|Function|in function|property) "?([\p{L}_$][\p{L}\p{N}_$]*)/u.exec(
      error.message,
    ) ?? []
  if (name === undefined) return undefined
  const at = text.search(new RegExp(`(?<![\\p{L}\\p{N}_$])${name.replaceAll('$', '\\$')}(?![\\p{L}\\p{N}_$])`, 'u'))
  return at < 0 ? undefined : at
}
