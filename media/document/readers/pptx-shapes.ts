// The shapes of a slide as HTML: its title first, then the others in drawing order; tables, charts, diagrams, lists.
import { mergeNotices, type Notice } from '../../../contracts/notices.ts'
import { type ListItem, listHtml } from './list-html.ts'
import { PICTURES_NOT_READ } from './marks.ts'
import { LABEL_CLASS, TEX_CLASS } from './markup.ts'
import { numberText } from './number-formats.ts'
import { ommlToTex } from './omml.ts'
import { attribute, childAt, childrenOf, descendantsOf, escapeHtml, nameOf } from './xml.ts'

/** Placeholders that repeat on each slide. */
const RUNNING: ReadonlySet<string> = new Set(['sldNum', 'ftr', 'dt', 'hdr', 'sldImg'])
/** Of automatic numbers: `alphaLcParenR` is `a)`. */
const NUMBERS: Record<string, string> = {
  arabic: 'decimal',
  alphaLc: 'lowerLetter',
  alphaUc: 'upperLetter',
  romanLc: 'lowerRoman',
  romanUc: 'upperRoman',
}

interface Slide {
  /** HTML of charts and diagrams by relation. */
  parts: ReadonlyMap<string, string>
  /** Parts of pictures by relation. */
  images: ReadonlyMap<string, string>
  notices: Notice[]
  pictures: Set<string>
}

/** The slide as HTML, what is left out, and the parts of its pictures. */
export function slideHtml(
  root: Element,
  sources: Pick<Slide, 'parts' | 'images'>,
): { html: string; notices: Notice[]; pictures: string[] } {
  const slide: Slide = { ...sources, notices: [], pictures: new Set() }
  const tree = childAt(root, 'cSld', 'spTree')
  const shapes = tree ? [...shapesWithin(tree)] : []
  const isTitle = (shape: Element) => /^(ctrT|t)itle$/.test(placeholderOf(shape) ?? '')
  const html = [...shapes.filter(isTitle), ...shapes.filter((shape) => !isTitle(shape))]
    .map((shape) => shapeToHtml(shape, slide))
    .join('\n')
  return { html, notices: mergeNotices(slide.notices), pictures: [...slide.pictures] }
}

function* shapesWithin(group: Element): Generator<Element> {
  for (const child of childrenOf(group)) {
    // The same drawing in two versions, for newer and older programs.
    if (nameOf(child) === 'AlternateContent')
      yield* shapesWithin(childAt(child, 'Choice') ?? childAt(child, 'Fallback') ?? child)
    else if (nameOf(child) === 'grpSp') yield* shapesWithin(child)
    else yield child
  }
}

function placeholderOf(shape: Element): string | undefined {
  const placeholder = childAt(shape, 'nvSpPr', 'nvPr', 'ph')
  return placeholder && (attribute(placeholder, 'type') ?? 'body')
}

function shapeToHtml(shape: Element, slide: Slide): string {
  const placeholder = placeholderOf(shape)
  if (placeholder !== undefined && RUNNING.has(placeholder)) return ''
  if (nameOf(shape) === 'graphicFrame') return frameToHtml(shape, slide)
  if (nameOf(shape) === 'pic') return pictureToHtml(shape, slide)
  if (nameOf(shape) === 'contentPart') notRead(slide, 'Ink and other drawings in parts of their own are not read')
  addPicture(slide, childAt(shape, 'spPr', 'blipFill', 'blip'))
  const body = childAt(shape, 'txBody')
  const paragraphs = childrenOf(body, 'p')
  if (/^(ctrT|t)itle$/.test(placeholder ?? '')) return `<h1>${paragraphs.map(textOf).join(' ')}</h1>`
  return paragraphsToHtml(paragraphs, childAt(body, 'lstStyle'))
}

function pictureToHtml(picture: Element, slide: Slide): string {
  const properties = childrenOf(childAt(picture, 'nvPicPr', 'nvPr')).map(nameOf)
  const isRecording = properties.some((name) => /^(?:video|audio|wavAudio|quickTime)File$|^audioCd$/.test(name))
  if (isRecording) notRead(slide, 'Recordings in slides are not transcribed')
  else addPicture(slide, childAt(picture, 'blipFill', 'blip'))
  const said = attribute(childAt(picture, 'nvPicPr', 'cNvPr'), 'descr')?.trim()
  return said ? `<p><img alt="${escapeHtml(said)}"></p>` : ''
}

/** A table, a chart, a diagram, or an object of another program. */
function frameToHtml(frame: Element, slide: Slide): string {
  const tables = [...descendantsOf(frame, 'tbl')].map(tableToHtml)
  if (tables.length > 0) return tables.join('\n')
  const [object] = descendantsOf(frame, 'oleObj')
  if (object) {
    const isFormula = /^(Equation|MathType)/i.test(attribute(object, 'progId') ?? '')
    notRead(slide, isFormula ? 'Formulas of old editors are not read' : 'Embedded objects are not read')
    return ''
  }
  const references = [...descendantsOf(frame, 'chart'), ...descendantsOf(frame, 'relIds')]
  const ids = references.map((each) => [...each.attributes].find(({ name }) => /:(?:id|dm)$/.test(name))?.value ?? '')
  return ids
    .map((id) => {
      const html = slide.parts.get(id)
      if (html === undefined) notRead(slide, 'Charts or diagrams without stored values are not read')
      return html ?? ''
    })
    .join('\n')
}

function addPicture(slide: Slide, blip: Element | undefined): void {
  if (!blip) return
  const part = slide.images.get(attribute(blip, 'embed') ?? '')
  if (part === undefined) notRead(slide, PICTURES_NOT_READ)
  else slide.pictures.add(part)
}

function notRead({ notices }: Slide, message: string): void {
  notices.push({ code: 'not_read', message, count: 1 })
}

/** @param style of the lists of the shape */
function paragraphsToHtml(paragraphs: readonly Element[], style: Element | undefined): string {
  const numbering = new Numbering()
  const blocks: string[] = []
  let items: ListItem[] = []
  const endList = () => {
    if (items.length > 0) blocks.push(listHtml(items))
    items = []
  }
  for (const paragraph of paragraphs) {
    const html = textOf(paragraph)
    if (html.trim() === '') continue
    const properties = childAt(paragraph, 'pPr')
    const level = Math.min(Number(attribute(properties, 'lvl') ?? 0) || 0, 8)
    const inherited = childAt(style, `lvl${level + 1}pPr`)
    const bullet =
      childrenOf(properties, 'buNone', 'buChar', 'buAutoNum', 'buBlip')[0] ??
      childrenOf(inherited, 'buNone', 'buChar', 'buAutoNum', 'buBlip')[0]
    const label = numbering.next(level, bullet && nameOf(bullet) === 'buAutoNum' ? bullet : undefined)
    const isItem = bullet ? nameOf(bullet) !== 'buNone' || level > 0 : level > 0
    if (isItem) {
      const number = label === '' ? '' : `<span class="${LABEL_CLASS}">${escapeHtml(label)}</span> `
      items.push({ level, html: number + html })
      continue
    }
    endList()
    blocks.push(`<p>${html}</p>`)
  }
  endList()
  return blocks.join('\n')
}

/** Automatic numbers of the paragraphs of a shape. */
class Numbering {
  readonly #counters: ({ kind: string; next: number } | undefined)[] = []

  /** The number of a paragraph, empty without one; it interrupts the numbers of its level and of deeper ones. */
  next(level: number, bullet: Element | undefined): string {
    this.#counters.length = Math.min(this.#counters.length, level + 1)
    if (!bullet) {
      this.#counters[level] = undefined
      return ''
    }
    const start = Number(attribute(bullet, 'startAt') ?? 1) || 1
    const type = attribute(bullet, 'type') ?? 'arabicPeriod'
    const kind = `${type} ${start}`
    const known = this.#counters[level]
    const number = known?.kind === kind ? known.next : start
    this.#counters[level] = { kind, next: number + 1 }
    const [, format = '', sign = ''] = /^(.*?)(Period|ParenR|ParenBoth|Plain|Minus)?$/.exec(type) ?? []
    const text = numberText(number, NUMBERS[format] ?? 'decimal') ?? String(number)
    return sign === 'ParenBoth' ? `(${text})` : text + ({ ParenR: ')', Plain: '', Minus: '-' }[sign] ?? '.')
  }
}

function tableToHtml(table: Element): string {
  const rows = childrenOf(table, 'tr').map((row) => {
    const cells = childrenOf(row, 'tc').map((cell) => {
      if (isMerged(cell, 'hMerge') || isMerged(cell, 'vMerge')) return ''
      const words = childrenOf(childAt(cell, 'txBody'), 'p').map(textOf).join('<br>')
      const [across, down] = [attribute(cell, 'gridSpan') ?? '1', attribute(cell, 'rowSpan') ?? '1']
      return `<td colspan="${escapeHtml(across)}" rowspan="${escapeHtml(down)}">${words}</td>`
    })
    return `<tr>${cells.join('')}</tr>`
  })
  return `<table>${rows.join('')}</table>`
}

function isMerged(cell: Element, direction: 'hMerge' | 'vMerge'): boolean {
  return /^(1|true)$/.test(attribute(cell, direction) ?? '')
}

function textOf(paragraph: Element): string {
  return childrenOf(paragraph)
    .map((run) => {
      switch (nameOf(run)) {
        case 'br':
          return '<br>'
        case 'r':
        case 'fld': {
          const text = escapeHtml(childAt(run, 't')?.textContent ?? '')
          const raised = Number(attribute(childAt(run, 'rPr'), 'baseline') ?? 0) || 0
          return raised === 0 ? text : raised > 0 ? `<sup>${text}</sup>` : `<sub>${text}</sub>`
        }
        case 'AlternateContent':
          return textOf(childAt(run, 'Choice') ?? childAt(run, 'Fallback') ?? run)
        case 'm':
          return formulas(run)
        default:
          return ''
      }
    })
    .join('')
}

function formulas(math: Element): string {
  return [...descendantsOf(math, 'oMath')]
    .map((each) => `<code class="${TEX_CLASS}">${escapeHtml(ommlToTex(each))}</code>`)
    .join(' ')
}
