// Rewrites a part of a Word document so that mammoth, which converts it, finds all of its text: in the order of the steps
// below.
import { moveDrawings } from './docx-drawings.ts'
import { readFields } from './docx-fields.ts'
import { isOn, listIn } from './docx-styles.ts'
import {
  around,
  type BodyContext,
  LABEL_STYLE,
  type Make,
  maker,
  parentOf,
  TEX_STYLE,
  textRun,
  elementsOf,
} from './docx-xml.ts'
import { ommlToTex } from './omml.ts'
import { attribute, childAt, childrenOf, nameOf } from './xml.ts'

/** Containers of text that mammoth passes over with what is in them. */
const UNKNOWN: ReadonlySet<string> = new Set(['dir', 'bdo', 'smartTagPr', 'conflictIns', 'customXmlInsRangeStart'])

/** Changes a part: its root, and its XML to see what occurs in it. */
export function rewrite(root: Element, xml: string, context: BodyContext): void {
  const make = maker(root)
  const occurs = (name: string) => xml.includes(name)
  if (occurs('AlternateContent')) chooseAlternatives(root)
  for (const name of ['del', 'moveFrom'])
    if (occurs(`${name} `) || occurs(`${name}>`))
      for (const each of elementsOf(root, name))
        if (!/^(rPr|trPr|numPr|ctrlPr)$/.test(nameOf(parentOf(each)))) each.remove()
  for (const name of UNKNOWN)
    if (occurs(`:${name}`)) for (const each of elementsOf(root, name)) each.replaceWith(...each.childNodes)
  if (occurs('gridBefore')) fillRows(root, make)
  hideText(root, make, context)
  if (occurs('ruby')) for (const ruby of elementsOf(root, 'ruby')) showRuby(ruby, make)
  if (occurs('oMath')) showFormulas(root, make)
  readFields(root, make, occurs)
  moveDrawings(root, make, occurs, context)
  number(root, make, context)
}

/** Of the same thing in several versions, the first with a text, else the first with a drawing, else the last. */
function chooseAlternatives(root: Element): void {
  for (const alternatives of elementsOf(root, 'AlternateContent')) {
    const versions = childrenOf(alternatives, 'Choice', 'Fallback')
    const chosen =
      versions.find((version) => /\S/.test(textIn(version))) ??
      versions.find((version) => childrenOf(version, 'drawing', 'pict').length > 0) ??
      versions.at(-1)
    alternatives.replaceWith(...(chosen?.childNodes ?? []))
  }
}

/** Without the values of drawings, such as positions. */
function textIn(element: Element): string {
  return elementsOf(element, 't')
    .map((text) => text.textContent ?? '')
    .join('')
}

/** A row that begins in a later column gets empty cells before. */
function fillRows(root: Element, make: Make): void {
  for (const before of elementsOf(root, 'gridBefore')) {
    const row = around(before, 'tr')
    const span = attribute(before, 'val') ?? '1'
    const first = childrenOf(row, 'tc')[0]
    first?.before(make('tc', {}, make('tcPr', {}, make('gridSpan', { val: span })), make('p')))
  }
}

function hideText(root: Element, make: Make, { styles, marks }: BodyContext): void {
  const mark = marks.of('left_out', 'Hidden text is left out')
  for (const row of elementsOf(root, 'tr')) {
    const hidden = childAt(row, 'trPr', 'hidden')
    if (!hidden || !isOn(attribute(hidden, 'val') ?? '1')) continue
    row.before(make('tr', {}, make('tc', {}, make('p', {}, textRun(make, mark)))))
    row.remove()
  }
  let last: Element | undefined
  for (const run of elementsOf(root, 'r')) {
    if (nameOf(run) !== 'r' || !childrenOf(run, 't', 'tab', 'br', 'sym').length) continue
    if (!styles.isHidden(run, around(run, 'p'))) continue
    const says = /[\p{L}\p{N}]/u.test(textIn(run))
    const continues = last !== undefined && last === run.previousElementSibling
    if (says && !continues) last = textRun(make, mark)
    if (says && !continues && last) run.replaceWith(last)
    else run.remove()
  }
}

function showRuby(ruby: Element, make: Make): void {
  const base = childrenOf(childAt(ruby, 'rubyBase'))
  const reading = textIn(childAt(ruby, 'rt') ?? make('rt'))
  // It stands within a run.
  const run = around(ruby, 'r')
  const shown = [...base, ...(reading.trim() === '' ? [] : [textRun(make, `(${reading})`)])]
  if (!run) ruby.replaceWith(...shown)
  else {
    const rest = make('r')
    rest.append(...nodesAfter(ruby))
    run.after(...shown, rest)
    ruby.remove()
  }
}

function nodesAfter(element: Element): ChildNode[] {
  const nodes: ChildNode[] = []
  for (let at = element.nextSibling; at; at = at.nextSibling) nodes.push(at)
  return nodes
}

function showFormulas(root: Element, make: Make): void {
  for (const math of elementsOf(root, 'oMath')) {
    const tex = ommlToTex(math)
    if (tex === '') math.remove()
    else math.replaceWith(textRun(make, tex, TEX_STYLE))
  }
  for (const block of elementsOf(root, 'oMathPara')) {
    const runs = childrenOf(block, 'r')
    if (around(block, 'p')) block.replaceWith(...runs)
    else block.replaceWith(make('p', {}, ...runs))
  }
}

/** Writes automatic numbers as text. Paragraphs of lists stay so, for mammoth. */
function number(root: Element, make: Make, { numbering, marks }: BodyContext): void {
  for (const paragraph of elementsOf(root, 'p')) {
    if (childAt(paragraph, 'pPr', 'rPr', 'del')) continue
    const label = numbering.next(paragraph, listIn(paragraph))
    if (!label) continue
    const list =
      label.kind === 'none'
        ? make('numPr', {}, make('ilvl', { val: '0' }), make('numId', { val: '0' }))
        : make('numPr', {}, make('ilvl', { val: String(label.level) }), make('numId', { val: label.list }))
    const properties = childAt(paragraph, 'pPr') ?? make('pPr')
    if (!properties.parentElement) paragraph.prepend(properties)
    childAt(properties, 'numPr')?.remove()
    const isEmpty = textIn(paragraph).trim() === ''
    const style = childAt(properties, 'pStyle')
    if (style) style.after(list)
    else properties.prepend(list)
    if (label.text === '' || (isEmpty && nameOf(parentOf(paragraph)) !== 'tc')) continue
    const mark = label.isGuess ? marks.of('uncertain', 'Numbers of a list are written with digits') : ''
    properties.after(textRun(make, mark + label.text, LABEL_STYLE))
  }
}
