// Elements whose text is not what a browser shows, replaced by what it shows: form controls, drawings, formulas, ruby,
// numbers of lists.
import { mathmlToTex } from './mathml.ts'

const TICKED = '☑'
const NOT_TICKED = '☐'
/** Inputs without a readable value. */
const NO_VALUE = /^(hidden|password|file|image|submit|button|reset|color|range)$/

/** Changes the document. */
export function showParts(document: Document): void {
  for (const input of document.querySelectorAll('input')) input.replaceWith(document.createTextNode(valueOf(input)))
  for (const select of document.querySelectorAll('select'))
    select.replaceWith(document.createTextNode(choicesOf(select)))
  for (const area of document.querySelectorAll('textarea')) {
    const lines = document.createElement('p')
    lines.textContent = area.textContent ?? ''
    area.replaceWith(lines)
  }
  for (const math of document.querySelectorAll('math')) showFormula(document, math)
  for (const drawing of document.querySelectorAll('svg')) showDrawing(document, drawing)
  for (const mark of document.querySelectorAll('rp')) mark.remove()
  for (const reading of document.querySelectorAll('ruby rt')) reading.textContent = `(${reading.textContent ?? ''})`
  for (const list of document.querySelectorAll('ol')) numberItems(list)
}

function valueOf(input: Element): string {
  const type = input.getAttribute('type')?.toLowerCase() ?? 'text'
  if (type === 'checkbox' || type === 'radio') return input.hasAttribute('checked') ? `${TICKED} ` : `${NOT_TICKED} `
  return NO_VALUE.test(type) ? '' : ` ${input.getAttribute('value') ?? ''} `
}

function choicesOf(select: Element): string {
  const options = [...select.querySelectorAll('option')]
  const text = (chosen: Element[]) => chosen.map((option) => option.textContent?.trim() ?? '').join(', ')
  const chosen = options.filter((option) => option.hasAttribute('selected'))
  return chosen.length > 0 ? ` ${text(chosen)} (of: ${text(options)}) ` : ` ${text(options)} `
}

/** The TeX that it was written in, or a translation. */
function showFormula(document: Document, math: Element): void {
  const source = [...math.querySelectorAll('annotation')].find((each) =>
    /tex/i.test(each.getAttribute('encoding') ?? ''),
  )
  const tex = source?.textContent?.trim() || math.getAttribute('alttext')?.trim() || mathmlToTex(math)
  const shown = document.createElement('code')
  shown.className = 'muxi-tex'
  shown.textContent = tex
  math.replaceWith(shown)
}

/** Labels of a drawing; an icon has none. */
function showDrawing(document: Document, drawing: Element): void {
  const labels = [...drawing.querySelectorAll('text')].map((text) => text.textContent?.replaceAll(/\s+/g, ' ').trim())
  const shown = labels.filter(Boolean).join('; ')
  if (shown === '' || drawing.closest('[hidden], [aria-hidden="true"]')) return
  const text = document.createElement('p')
  text.textContent = shown
  drawing.replaceWith(text)
}

/** Numbers that a plain list in order would not have: letters, numerals, a value of an item, downwards. */
function numberItems(list: Element): void {
  const items = [...list.children].filter(({ tagName }) => tagName === 'LI')
  const type = list.getAttribute('type') ?? '1'
  const isReversed = list.hasAttribute('reversed')
  if (!/^[aAiI]$/.test(type) && !isReversed && !items.some((item) => item.hasAttribute('value'))) return
  let number = integer(list.getAttribute('start')) ?? (isReversed ? items.length : 1)
  for (const item of items) {
    number = integer(item.getAttribute('value')) ?? number
    item.setAttribute('data-label', `${numeral(number, type)}.`)
    number += isReversed ? -1 : 1
  }
}

function integer(text: string | null): number | undefined {
  return text !== null && /^\s*-?\d{1,9}\s*$/.test(text) ? Number(text) : undefined
}

const ROMAN = [
  [1000, 'm'],
  [900, 'cm'],
  [500, 'd'],
  [400, 'cd'],
  [100, 'c'],
  [90, 'xc'],
  [50, 'l'],
  [40, 'xl'],
  [10, 'x'],
  [9, 'ix'],
  [5, 'v'],
  [4, 'iv'],
  [1, 'i'],
] as const

/** A number as an `ol` of this type shows it: `a`, `A`, `i`, `I`, or digits. */
function numeral(number: number, type: string): string {
  const text =
    type.toLowerCase() === 'i' ? roman(number) : type.toLowerCase() === 'a' ? letters(number) : String(number)
  return /[AI]/.test(type) ? text.toUpperCase() : text
}

/** In small letters; numbers that have no numeral stay digits. */
export function roman(number: number): string {
  if (number < 1 || number > 3_999) return String(number)
  let rest = number
  let text = ''
  for (const [value, letter] of ROMAN) for (; rest >= value; rest -= value) text += letter
  return text
}

/** `a` to `z`, then `aa`. */
function letters(number: number): string {
  if (number < 1) return String(number)
  let text = ''
  for (let rest = number; rest > 0; rest = Math.floor((rest - 1) / 26))
    text = String.fromCodePoint(97 + ((rest - 1) % 26)) + text
  return text
}
