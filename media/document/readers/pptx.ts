// Presentations of PowerPoint: one page per slide in order, with its notes. Hidden slides are skipped.
import { type Archive, withArchive } from './archive.ts'
import { markupToMarkdown } from './markup.ts'
import { relationsOf } from './relations.ts'
import type { UnnumberedPage } from './table.ts'
import { attribute, childAt, childrenOf, descendantsOf, escapeHtml, nameOf, parseXml } from './xml.ts'

const SHOW = 'ppt/presentation.xml'
/** Placeholders that repeat on each slide. */
const RUNNING: ReadonlySet<string> = new Set(['sldNum', 'ftr', 'dt', 'hdr', 'sldImg'])

/** @throws MediaFailure */
export function readPptx(path: string): Promise<UnnumberedPage[]> {
  return withArchive(path, async (archive) => {
    const targets = await relationsOf(archive, SHOW)
    const ids = childrenOf(childAt(parseXml(await archive.xml(SHOW)), 'sldIdLst'), 'sldId')
    const parts: UnnumberedPage[] = []
    for (const [index, id] of ids.entries()) {
      const name = targets.find((target) => target.id === relationOf(id))?.part
      if (name === undefined || !archive.has(name)) continue
      const slide = parseXml(await archive.xml(name))
      if (attribute(slide, 'show') === '0') continue
      const notes = await notesOf(archive, name)
      parts.push({ text: markupToMarkdown(shapesOf(slide) + notes), label: `Slide ${index + 1}` })
    }
    return parts
  })
}

async function notesOf(archive: Archive, slide: string): Promise<string> {
  const notes = (await relationsOf(archive, slide)).find(({ type }) => type.endsWith('/notesSlide'))?.part
  if (notes === undefined || !archive.has(notes)) return ''
  const html = shapesOf(parseXml(await archive.xml(notes)))
  return />[^<]*\p{L}/u.test(html) ? `<p><strong>Notes:</strong></p>${html}` : ''
}

/** `r:id`, in contrast to the numeric `id`. */
function relationOf(element: Element): string | undefined {
  return [...element.attributes].find(({ name }) => name.endsWith(':id'))?.value
}

/** Title first, then shapes in drawing order. */
function shapesOf(slide: Element): string {
  const tree = childAt(slide, 'cSld', 'spTree')
  const shapes = tree ? [...shapesWithin(tree)] : []
  const isTitle = (shape: Element) => /^(ctrT|t)itle$/.test(placeholderOf(shape) ?? '')
  return [...shapes.filter(isTitle), ...shapes.filter((shape) => !isTitle(shape))].map(shapeToHtml).join('\n')
}

function* shapesWithin(group: Element): Generator<Element> {
  for (const child of childrenOf(group)) {
    // The same drawing in two versions, for newer and older programs.
    if (nameOf(child) === 'AlternateContent') yield* shapesWithin(childAt(child, 'Choice') ?? child)
    else if (nameOf(child) === 'grpSp') yield* shapesWithin(child)
    else yield child
  }
}

function placeholderOf(shape: Element): string | undefined {
  const placeholder = childAt(shape, 'nvSpPr', 'nvPr', 'ph')
  return placeholder && (attribute(placeholder, 'type') ?? 'body')
}

function shapeToHtml(shape: Element): string {
  const placeholder = placeholderOf(shape)
  if (placeholder !== undefined && RUNNING.has(placeholder)) return ''
  if (nameOf(shape) === 'graphicFrame') return [...descendantsOf(shape, 'tbl')].map(tableToHtml).join('\n')
  if (nameOf(shape) === 'pic') {
    const said = attribute(childAt(shape, 'nvPicPr', 'cNvPr'), 'descr')?.trim()
    return said ? `<p><img alt="${escapeHtml(said)}"></p>` : ''
  }
  const paragraphs = childrenOf(childAt(shape, 'txBody'), 'p')
  if (/^(ctrT|t)itle$/.test(placeholder ?? '')) return `<h1>${paragraphs.map(textOf).join(' ')}</h1>`
  return paragraphs.map((paragraph) => paragraphToHtml(paragraph)).join('\n')
}

/** A paragraph with a bullet is a list item; deeper ones are in nested lists. */
function paragraphToHtml(paragraph: Element): string {
  const words = textOf(paragraph)
  const properties = childAt(paragraph, 'pPr')
  const level = Math.min(Number(attribute(properties, 'lvl') ?? 0) || 0, 8)
  const isItem = level > 0 || childrenOf(properties, 'buChar', 'buAutoNum', 'buBlip').length > 0
  if (words.trim() === '') return ''
  return isItem ? `${'<ul><li>'.repeat(level + 1)}${words}${'</li></ul>'.repeat(level + 1)}` : `<p>${words}</p>`
}

function tableToHtml(table: Element): string {
  const rows = childrenOf(table, 'tr').map((row) => {
    const cells = childrenOf(row, 'tc').map((cell) => {
      const words = childrenOf(childAt(cell, 'txBody'), 'p').map(textOf).join('<br>')
      return `<td>${words}</td>`
    })
    return `<tr>${cells.join('')}</tr>`
  })
  return `<table>${rows.join('')}</table>`
}

function textOf(paragraph: Element): string {
  return childrenOf(paragraph, 'r', 'fld', 'br')
    .map((run) => (nameOf(run) === 'br' ? '<br>' : escapeHtml(childAt(run, 't')?.textContent ?? '')))
    .join('')
}
