// Text written from right to left (Hebrew, Arabic): from the order in which it is seen to the order in which it is read, by
// the rules of Unicode's bidirectional algorithm (UAX 9) in reverse.

/** Letters of such writing; with `g`, to count them. */
const RIGHT_TO_LEFT = /[\u05D0-\u05F2\u0620-\u065F\u066E-\u06EF\u06FA-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFC]/gu
const LETTER = /\p{L}/gu
/** Letters in the form that they have at a place within a word. */
const FORMS = /[\uFB1D-\uFDFF\uFE70-\uFEFC]+/gu
/** A character with its accents. */
const CLUSTER = /\P{M}\p{M}*|\p{M}+/gu
/** A number with what belongs to it: `12.50`, `1/2/2024`, `50%`, `$7`. */
const NUMBER = /[$€£₪#]?\p{Nd}+(?:[.,:/-]\p{Nd}+)*[%$€£₪]?/uy
const MIRRORED = new Map(
  ['()', '[]', '{}', '<>', '«»', '‹›'].flatMap(([a, b]) => [[a!, b!] as const, [b!, a!] as const]),
)

/** Whether any of it is written from right to left. */
export function hasRightToLeft(text: string): boolean {
  return text.search(RIGHT_TO_LEFT) >= 0
}

/** Whether most of its letters are written from right to left. */
export function isRightToLeft(text: string): boolean {
  return rightToLeftShare(text) >= 0.5
}

/** Share of its letters that are written from right to left. */
export function rightToLeftShare(text: string): number {
  const letters = text.match(LETTER)?.length ?? 0
  return letters === 0 ? 0 : (text.match(RIGHT_TO_LEFT)?.length ?? 0) / letters
}

/**
 * A line in the order in which it is read.
 * @param seen its characters as they stand from left to right
 */
export function readingOrder(seen: string): string {
  if (!hasRightToLeft(seen)) return seen
  if (isRightToLeft(seen)) return reversed(seen)
  // Each stretch from right to left within a line of other writing is turned by itself.
  const turned: string[] = []
  let stretch: Part[] = []
  for (const part of partsOf(seen)) {
    if (part.kind !== 'left') stretch.push(part)
    else {
      turned.push(turnedStretch(stretch), part.text)
      stretch = []
    }
  }
  return turned.join('') + turnedStretch(stretch)
}

/** Letters without the form of their place in a word: `ﻟ` is `ل`. */
export function baseLetters(text: string): string {
  return text.replace(FORMS, (forms) => forms.normalize('NFKC'))
}

interface Part {
  kind: 'left' | 'right' | 'number' | 'other'
  text: string
}

function partsOf(line: string): Part[] {
  const parts: Part[] = []
  for (let at = 0; at < line.length;) {
    NUMBER.lastIndex = at
    const number = NUMBER.exec(line)?.[0]
    const text = number ?? clusterAt(line, at)
    const kind =
      number !== undefined ? 'number' : hasRightToLeft(text) ? 'right' : /\p{L}/u.test(text) ? 'left' : 'other'
    parts.push({ kind, text })
    at += text.length
  }
  return parts
}

function clusterAt(line: string, at: number): string {
  CLUSTER.lastIndex = at
  return CLUSTER.exec(line)![0]
}

function textOf(parts: Part[]): string {
  return parts.map(({ text }) => text).join('')
}

/** Places of the first and the last part of a kind. */
function boundsOf(parts: Part[], isWanted: (part: Part) => boolean): [number, number] {
  return [parts.findIndex(isWanted), parts.findLastIndex(isWanted)]
}

function turnedStretch(parts: Part[]): string {
  const [first, last] = boundsOf(parts, ({ kind }) => kind === 'right')
  if (first < 0) return textOf(parts)
  return textOf(parts.slice(0, first)) + reversed(textOf(parts.slice(first, last + 1))) + textOf(parts.slice(last + 1))
}

/** Reversed, except words of other writing with the numbers beside them, and each number alone. */
function reversed(seen: string): string {
  const turned: string[] = []
  const isLeft = ({ kind }: Part) => kind === 'left' || kind === 'number'
  let run: Part[] = []
  const endRun = () => {
    const [first, last] = boundsOf(run, isLeft)
    const isText = run.some(({ kind }) => kind === 'left')
    const mirror = ({ text }: Part) => MIRRORED.get(text) ?? text
    const whole = isText ? run.slice(first, last + 1) : []
    const [before, after] = isText ? [run.slice(0, first), run.slice(last + 1)] : [run, []]
    turned.push(...before.map(mirror), textOf(whole), ...after.map(mirror))
    run = []
  }
  for (const part of partsOf(seen)) {
    if (part.kind !== 'right') run.push(part)
    else {
      endRun()
      turned.push(part.text)
    }
  }
  endRun()
  return turned.toReversed().join('')
}
