// What a question asks of a calculator, found by fixed rules; undefined for whatever is not plainly arithmetic.

export interface Conversion {
  value: number
  from: string
  to: string
}

const POLITE = String.raw`(?:(?:please|hey|hi|hello|ok|so|and|now)[,!]?\s+)*(?:(?:can|could|would)\s+you\s+)?(?:please\s+)?`
const QUESTION = String.raw`(?:tell\s+me|what\s+is|what['’]s|what\s+are|how\s+much\s+is|how\s+much\s+are|calculate|compute|evaluate|work\s+out|convert)`
/** What stands before the thing that is asked for. */
const OPENING = new RegExp(
  String.raw`^\s*${POLITE}(?:${QUESTION}\s*:?\s+)*(?:the\s+(?:value|result|sum)\s+of\s+)?`,
  'i',
)
const CLOSING = /(?:[\s?.,=]|,?\s+please)+$/i

/** Words between numbers, as the calculator writes them; in this order. */
const OPERATORS: readonly [RegExp, string][] = [
  [/(?<=\d),(?=\d{3}(?!\d))/g, ''],
  [/[$€£](?=\s*\d)/g, ''],
  [/[×·]/g, '*'],
  [/÷/g, '/'],
  [/[−–]/g, '-'],
  [/\*\*/g, '^'],
  [/(?<=[\d)])\s*x\s*(?=[\d(])/gi, ' * '],
  [/\b(?:the\s+)?square\s+root\s+of\s+(\d+(?:\.\d+)?)/gi, 'sqrt($1)'],
  [/\bsquared\b/gi, '^ 2'],
  [/\bcubed\b/gi, '^ 3'],
  [/\bto\s+the\s+power\s+of\b/gi, '^'],
  [/\s*(?:\bper\s?cent\b|%)\s*(?:of\b)/gi, '% *'],
  [/\s*\bper\s?cent\b/gi, '%'],
  [/\b(?:multiplied\s+by|times)\b/gi, '*'],
  [/\bdivided\s+by\b/gi, '/'],
  [/\bplus\b/gi, '+'],
  [/\bminus\b/gi, '-'],
]
const FUNCTIONS = new Set(
  'sqrt cbrt abs exp ln log log10 log2 sin cos tan asin acos atan round floor ceil mod gcd lcm factorial mean median min max sum std pi e deg rad'.split(
    ' ',
  ),
)
const MAX_QUESTION = 400

/** The expression that a question asks for, as in "what is 12.5% of 89.90?". */
export function readExpression(question: string): string | undefined {
  const asked = askedIn(question)
  if (asked === undefined) return undefined
  const expression = OPERATORS.reduce((text, [word, sign]) => text.replaceAll(word, sign), asked).replaceAll(
    /\s+/g,
    ' ',
  )
  if (!/\d/.test(expression) || !/^[\w\s.,+\-*/^%!()]+$/.test(expression)) return undefined
  const words = expression.match(/(?<![\d.])[A-Za-z_]\w*/g) ?? []
  if (!words.every((word) => FUNCTIONS.has(word))) return undefined
  // A date and a number alone are no questions.
  if (/^\d{4}-\d{1,2}-\d{1,2}$/.test(expression)) return undefined
  const works = /[\d)%!]\s*(?:[+\-*/^]|mod\b)\s*[-\d(a-z]/.test(expression) || /[a-z]\w*\s*\(|\d!/.test(expression)
  return works ? expression.trim() : undefined
}

const NUMBER = String.raw`(-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?)`
const UNIT = String.raw`(°?[a-zA-Zµ%][a-zA-Zµ]*(?:\s*[*/^]\s*[a-zA-Z0-9]+|\s+per\s+[a-zA-Z]+|\s+[a-zA-Z]+)?)`
const FORWARD = new RegExp(String.raw`^${NUMBER}\s*${UNIT}\s+(?:in|to|into|as)\s+${UNIT}$`)
const BACKWARD = new RegExp(
  String.raw`^how\s+many\s+${UNIT}\s+(?:are|is|make|does|do|in)(?:\s+there)?(?:\s+in)?\s+${NUMBER}\s*${UNIT}$`,
  'i',
)
/** Units as people say them, and as calculators write them. */
const UNITS: Record<string, string> = {
  '°c': 'degC',
  c: 'degC',
  celsius: 'degC',
  '°f': 'degF',
  f: 'degF',
  fahrenheit: 'degF',
  kelvin: 'K',
  kilo: 'kg',
  kilos: 'kg',
  'nautical mile': 'nauticalmile',
  'nautical miles': 'nauticalmile',
}

/** The conversion that a question asks for, as in "3 miles in km" or "how many feet are 2 metres?". */
export function readConversion(question: string): Conversion | undefined {
  const asked = askedIn(question)
  if (asked === undefined) return undefined
  const forward = FORWARD.exec(asked)
  if (forward) return conversion(forward[1], forward[2], forward[3])
  const backward = BACKWARD.exec(asked)
  return backward ? conversion(backward[2], backward[3], backward[1]) : undefined
}

function conversion(value = '', from = '', to = ''): Conversion | undefined {
  const units = [unitOf(from), unitOf(to)] as const
  // Two words are a unit only where they are known to be one.
  if (units.some((unit) => unit.includes(' '))) return undefined
  return { value: Number(value.replaceAll(',', '')), from: units[0], to: units[1] }
}

function unitOf(words: string): string {
  const unit = words
    .trim()
    .replace(/^degrees?\s+/i, '')
    .replace(/\s+per\s+/i, '/')
    .replace(/^(square|cubic)\s+([a-zA-Z]+)$/i, (_, power: string, of: string) =>
      power.toLowerCase() === 'square' ? `${of}^2` : `${of}^3`,
    )
  // Long names are words, whose capitals mean nothing; in `MB` and `mb` they do.
  return (
    UNITS[unit.toLowerCase()] ??
    (/^[A-Za-z]{4,}$/.test(unit) ? unit.toLowerCase() : unit.replaceAll(/\s*([*/^])\s*/g, '$1'))
  )
}

/** The last thing that is asked for, without the words around it. */
function askedIn(question: string): string | undefined {
  if (question.length > MAX_QUESTION) return undefined
  const sentences = question
    .split(/(?<=[?!;])\s+(?!\d)|\n|(?<=[a-z])\.\s+(?=[A-Z])/)
    .filter((each) => each.trim() !== '')
  return sentences.at(-1)?.replace(OPENING, '').replace(CLOSING, '').trim()
}
