// OpenDocument text as simple HTML: headings, paragraphs, lists, tables, alternative text of images, footnotes, page breaks.
import { attribute, childAt, childrenOf, descendantsOf, escapeHtml, nameOf } from './xml.ts'

const PAGE = '<hr class="page">'
/** Limit of repeated cells: the number is untrusted. */
const MAX_REPEATS = 200
/** Elements outside of the text: deletions, comments, indexes. */
const SKIPPED: ReadonlySet<string> = new Set([
  'tracked-changes',
  'annotation',
  'forms',
  'sequence-decls',
  'notes',
  'desc',
  'title',
])

export class OdfHtml {
  readonly #styles = new Map<string, Element>()
  readonly #notes: string[] = []

  /** @param content the root of `content.xml` */
  constructor(content: Element) {
    for (const style of childrenOf(childAt(content, 'automatic-styles'), 'style'))
      this.#styles.set(attribute(style, 'name') ?? '', style)
  }

  /** A property of an element's style. */
  styleOf(element: Element, properties: string, name: string): string | undefined {
    return attribute(childAt(this.#styles.get(attribute(element, 'style-name') ?? ''), properties), name)
  }

  /** The blocks of an element, with its footnotes below. */
  blocks(element: Element | undefined): string {
    if (!element) return ''
    const html = childrenOf(element)
      .map((child) => this.#block(child))
      .join('\n')
    const notes = this.#notes.splice(0).map((note, index) => `<p>[${index + 1}] ${note}</p>`)
    return html + notes.join('\n')
  }

  plain(element: Element): string {
    return [...element.childNodes]
      .map((node) => {
        if (node.nodeType === 3) return node.textContent ?? ''
        if (node.nodeType !== 1 || SKIPPED.has(nameOf(node as Element))) return ''
        return space(node as Element) ?? this.plain(node as Element)
      })
      .join('')
  }

  #block(element: Element): string {
    if (SKIPPED.has(nameOf(element))) return ''
    switch (nameOf(element)) {
      case 'h': {
        const level = Math.min(Math.max(Number(attribute(element, 'outline-level') ?? 1) || 1, 1), 6)
        return `${this.#breakBefore(element)}<h${level}>${this.#words(element)}</h${level}>`
      }
      case 'p':
        return this.#paragraph(element)
      case 'list':
        return `<ul>${childrenOf(element, 'list-item', 'list-header')
          .map((item) => `<li>${this.#within(item)}</li>`)
          .join('')}</ul>`
      case 'table':
        return `<table>${[...descendantsOf(element, 'table-row')].map((row) => this.#row(row)).join('')}</table>`
      case 'frame':
        return this.#frame(element)
      case 'soft-page-break':
        return PAGE
      default:
        return this.#within(element)
    }
  }

  #within(element: Element): string {
    return childrenOf(element)
      .map((child) => this.#block(child))
      .join('\n')
  }

  #paragraph(element: Element): string {
    const before = this.#breakBefore(element)
    const style = attribute(element, 'style-name') ?? ''
    const named = attribute(this.#styles.get(style), 'parent-style-name') ?? style
    return named === 'Title' ? `${before}<h1>${this.#words(element)}</h1>` : `${before}<p>${this.#words(element)}</p>`
  }

  #breakBefore(element: Element): string {
    const style = this.#styles.get(attribute(element, 'style-name') ?? '')
    const breaks = attribute(childAt(style, 'paragraph-properties'), 'break-before') === 'page'
    return breaks || attribute(style, 'master-page-name') ? PAGE : ''
  }

  #row(row: Element): string {
    const cells = childrenOf(row, 'table-cell').map((cell) => {
      const [across, down] = ['columns', 'rows'].map((name) => attribute(cell, `number-${name}-spanned`) ?? '1')
      const repeats = Math.min(Number(attribute(cell, 'number-columns-repeated') ?? 1) || 1, MAX_REPEATS)
      const html = `<td colspan="${escapeHtml(across!)}" rowspan="${escapeHtml(down!)}">${this.#within(cell)}</td>`
      return html.repeat(repeats)
    })
    return `<tr>${cells.join('')}</tr>`
  }

  /** An image with its alternative text, or a text box. */
  #frame(frame: Element): string {
    const isTitle = attribute(frame, 'class') === 'title'
    const box = childAt(frame, 'text-box')
    if (box && isTitle)
      return `<h1>${childrenOf(box)
        .map((child) => this.#words(child))
        .join(' ')}</h1>`
    const said = (childAt(frame, 'desc') ?? childAt(frame, 'title'))?.textContent?.trim()
    if (childAt(frame, 'image') && said) return `<p><img alt="${escapeHtml(said)}"></p>`
    return this.#within(frame)
  }

  #words(element: Element): string {
    return [...element.childNodes]
      .map((node) => {
        if (node.nodeType === 3) return escapeHtml(node.textContent ?? '')
        return node.nodeType === 1 ? this.#inline(node as Element) : ''
      })
      .join('')
  }

  /** Superscripts and subscripts: `super 58%`, `33% 58%`. */
  #raised(element: Element): string {
    const words = this.#words(element)
    const position = this.styleOf(element, 'text-properties', 'text-position') ?? ''
    if (/^sub|^-/.test(position)) return `<sub>${words}</sub>`
    return /^super|^[1-9]/.test(position) ? `<sup>${words}</sup>` : words
  }

  #inline(element: Element): string {
    if (SKIPPED.has(nameOf(element))) return ''
    switch (nameOf(element)) {
      case 'line-break':
        return '<br>'
      case 'soft-page-break':
        return PAGE
      case 'note': {
        const body = childAt(element, 'note-body')
        this.#notes.push(
          body
            ? childrenOf(body)
                .map((child) => this.#words(child))
                .join(' ')
            : '',
        )
        return `[${this.#notes.length}]`
      }
      case 'frame':
        return this.#frame(element)
      default:
        return space(element) ?? this.#raised(element)
    }
  }
}

/** Whitespace elements, since XML collapses spaces. */
function space(element: Element): string | undefined {
  if (nameOf(element) === 'tab' || nameOf(element) === 'line-break') return ' '
  if (nameOf(element) !== 's') return undefined
  return ' '.repeat(Math.min(Math.max(Number(attribute(element, 'c') ?? 1) || 1, 1), 100))
}
