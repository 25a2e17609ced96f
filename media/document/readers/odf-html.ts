// OpenDocument text as simple HTML: headings, paragraphs, lists, tables, alternative text of images, charts, formulas,
// footnotes, comments, page breaks.
import { type ListItem, listHtml } from './list-html.ts'
import type { Marks } from './marks.ts'
import { OdfLists } from './odf-lists.ts'
import type { ReadObject } from './odf-objects.ts'
import { labelHtml, repeatsOf, rowsOf, spaceOf } from './odf-xml.ts'
import { attribute, childAt, childrenOf, descendantsOf, escapeHtml, nameOf } from './xml.ts'

const PAGE = '<hr class="page">'
/** Elements outside of the text: deletions, indexes, and what is read where it is referred to. */
const SKIPPED: ReadonlySet<string> = new Set([
  'tracked-changes',
  'forms',
  'sequence-decls',
  'notes',
  'desc',
  'title',
  'table-column',
  'table-columns',
])

interface ListScope {
  count: ReturnType<OdfLists['begin']>
  level: number
}

export interface OdfSource {
  /** The root of `content.xml`. */
  content: Element
  /** The root of `styles.xml`. */
  styles?: Element | undefined
  object: ReadObject
  /** The part of a picture; undefined for one outside of the document. */
  picture: (image: Element) => string | undefined
  marks: Marks
}

export class OdfHtml {
  readonly #styles = new Map<string, Element>()
  readonly #notes: string[] = []
  readonly #comments: string[] = []
  readonly #lists: OdfLists
  readonly #source: OdfSource
  #commented = 0

  constructor(source: OdfSource) {
    const { content, styles } = source
    const parents = [childAt(styles, 'styles'), childAt(content, 'styles'), childAt(content, 'automatic-styles')]
    for (const style of parents.flatMap((parent) => childrenOf(parent, 'style')))
      this.#styles.set(attribute(style, 'name') ?? '', style)
    this.#lists = new OdfLists(parents)
    this.#source = source
  }

  /** A property of an element's style. */
  styleOf(element: Element, properties: string, name: string): string | undefined {
    return attribute(childAt(this.#styles.get(attribute(element, 'style-name') ?? ''), properties), name)
  }

  /** The blocks of an element, with its footnotes and comments below. */
  blocks(element: Element | undefined): string {
    if (!element) return ''
    const html = this.#within(element)
    const notes = this.#notes.splice(0).map((note, index) => `<p>[${index + 1}] ${note}</p>`)
    const comments = this.#comments.splice(0).map((comment) => `<li>${comment}</li>`)
    const list = comments.length > 0 ? `<p><strong>Comments:</strong></p><ul>${comments.join('')}</ul>` : ''
    return html + notes.join('\n') + list
  }

  /** A single block. */
  block(element: Element): string {
    return this.#block(element)
  }

  plain(element: Element): string {
    return [...element.childNodes]
      .map((node) => {
        if (node.nodeType === 3) return node.textContent ?? ''
        if (node.nodeType !== 1) return ''
        const child = node as Element
        if (SKIPPED.has(nameOf(child)) || nameOf(child) === 'annotation') return ''
        return spaceOf(child) ?? this.plain(child)
      })
      .join('')
  }

  #block(element: Element, scope?: ListScope): string {
    if (SKIPPED.has(nameOf(element))) return ''
    if (this.#isHidden(element)) return this.#source.marks.of('left_out', 'Hidden text is left out')
    switch (nameOf(element)) {
      case 'h':
        return this.#heading(element, this.#lists.heading(element))
      case 'p':
        return this.#paragraph(element)
      case 'list':
        return this.#list(element, scope)
      case 'table':
        return this.#table(element)
      case 'frame':
        return this.#frame(element)
      case 'annotation':
        return this.#comment(element)
      case 'control':
        return this.#source.marks.of('not_read', 'Form fields are not read')
      case 'soft-page-break':
        return PAGE
      default:
        return this.#within(element)
    }
  }

  #within(element: Element, scope?: ListScope): string {
    return childrenOf(element)
      .map((child) => this.#block(child, scope))
      .join('\n')
  }

  #isHidden(element: Element): boolean {
    const name = nameOf(element)
    if (name === 'section') return attribute(element, 'display') === 'none'
    return /^hidden-(?:text|paragraph)$/.test(name) || this.styleOf(element, 'text-properties', 'display') === 'none'
  }

  #heading(element: Element, label: string): string {
    const level = Math.min(Math.max(Number(attribute(element, 'outline-level') ?? 1) || 1, 1), 6)
    const number = label === '' ? '' : `${labelHtml(label)} `
    return `${this.#breakBefore(element)}<h${level}>${number}${this.#words(element)}</h${level}>`
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

  /** Items of nested lists with their levels; a heading in a list ends the items before it. */
  #list(list: Element, around?: ListScope): string {
    const blocks: string[] = []
    let items: ListItem[] = []
    const end = () => {
      if (items.length > 0) blocks.push(listHtml(items))
      items = []
    }
    const read = (element: Element, outer?: ListScope) => {
      const style = attribute(element, 'style-name') ?? outer?.count.style ?? this.#listStyle(element)
      const isSame = outer !== undefined && outer.count.style === style
      const count = isSame ? outer.count : this.#lists.begin(element, style)
      const scope = { count, level: (outer?.level ?? 0) + 1 }
      for (const item of childrenOf(element, 'list-item', 'list-header')) {
        const own = childrenOf(item).filter((child) => nameOf(child) !== 'list')
        const label = own.length > 0 && nameOf(item) === 'list-item' ? this.#lists.next(count, scope.level, item) : ''
        if (own[0] && nameOf(own[0]) === 'h') {
          end()
          blocks.push(...own.map((child) => (child === own[0] ? this.#heading(child, label) : this.#block(child))))
        } else if (own.length > 0) {
          const [only] = own
          const html = own.length === 1 && nameOf(only!) === 'p' ? this.#words(only!) : this.#blocksOf(own)
          items.push({ level: scope.level - 1, html: label === '' ? html : `${labelHtml(label)} ${html}` })
        }
        for (const nested of childrenOf(item, 'list')) read(nested, scope)
      }
    }
    read(list, around)
    end()
    return blocks.join('\n')
  }

  #blocksOf(elements: readonly Element[]): string {
    return elements.map((element) => this.#block(element)).join('\n')
  }

  /** That of the style of its first paragraph. */
  #listStyle(list: Element): string {
    const [paragraph] = descendantsOf(list, 'p')
    const style = this.#styles.get(attribute(paragraph, 'style-name') ?? '')
    const parent = this.#styles.get(attribute(style, 'parent-style-name') ?? '')
    return attribute(style, 'list-style-name') ?? attribute(parent, 'list-style-name') ?? ''
  }

  #table(table: Element): string {
    const rows = rowsOf(table).map((row) => this.#row(row))
    // Programs write empty rows up to the end of a slide.
    while (rows.length > 0 && !/[^\s]/.test(rows.at(-1)!.replaceAll(/<\/?t[rd][^>]*>|<\/?p>/g, ''))) rows.pop()
    return rows.length === 0 ? '' : `<table>${rows.join('')}</table>`
  }

  #row(row: Element): string {
    const cells = childrenOf(row, 'table-cell').map((cell) => {
      const [across, down] = ['columns', 'rows'].map((name) => attribute(cell, `number-${name}-spanned`) ?? '1')
      const html = `<td colspan="${escapeHtml(across!)}" rowspan="${escapeHtml(down!)}">${this.#within(cell)}</td>`
      return html.repeat(repeatsOf(cell, 'columns'))
    })
    return `<tr>${cells.join('')}</tr>`
  }

  /** A text box, a chart or a formula, or an image with its alternative text. */
  #frame(frame: Element): string {
    const isTitle = attribute(frame, 'class') === 'title'
    const box = childAt(frame, 'text-box')
    if (box && isTitle)
      return `<h1>${childrenOf(box)
        .map((child) => this.#words(child))
        .join(' ')}</h1>`
    const object = childrenOf(frame, 'object', 'object-ole', 'plugin', 'floating-frame')[0]
    if (object) return this.#source.object(object) ?? this.#source.marks.of('not_read', 'Embedded objects are not read')
    // A preview of the table stands beside it.
    const image = childAt(frame, 'table') ? undefined : childAt(frame, 'image')
    if (!image) return this.#within(frame)
    const mark =
      attribute(image, 'href') || childAt(image, 'binary-data')
        ? this.#source.marks.picture(this.#source.picture(image))
        : ''
    const said = (childAt(frame, 'desc') ?? childAt(frame, 'title'))?.textContent?.trim()
    return (said ? `<p><img alt="${escapeHtml(said)}"></p>` : '') + this.#within(image) + mark
  }

  #words(element: Element): string {
    return [...element.childNodes]
      .map((node) => {
        if (node.nodeType === 3) return escapeHtml(node.textContent ?? '')
        return node.nodeType === 1 ? this.#inline(node as Element) : ''
      })
      .join('')
  }

  #inline(element: Element): string {
    if (SKIPPED.has(nameOf(element))) return ''
    if (this.#isHidden(element)) return this.#source.marks.of('left_out', 'Hidden text is left out')
    switch (nameOf(element)) {
      case 'line-break':
        return '<br>'
      case 'soft-page-break':
        return PAGE
      case 'note':
        this.#notes.push(
          childrenOf(childAt(element, 'note-body'))
            .map((child) => this.#words(child))
            .join(' '),
        )
        return `[${this.#notes.length}]`
      case 'frame':
        return this.#frame(element)
      case 'control':
      case 'annotation':
        return this.#block(element)
      case 'ruby-text':
        return element.textContent?.trim() ? `(${this.#words(element)})` : ''
      case 'a': {
        const href = attribute(element, 'href') ?? ''
        const words = this.#words(element)
        return /^(?:https?|mailto):/i.test(href) ? `<a href="${escapeHtml(href)}">${words}</a>` : words
      }
      default:
        return spaceOf(element) ?? this.#raised(element)
    }
  }

  /** Superscripts and subscripts: `super 58%`, `33% 58%`. */
  #raised(element: Element): string {
    const words = this.#words(element)
    const position = this.styleOf(element, 'text-properties', 'text-position') ?? ''
    if (/^sub|^-/.test(position)) return `<sub>${words}</sub>`
    return /^super|^[1-9]/.test(position) ? `<sup>${words}</sup>` : words
  }

  /** A comment stands below, and a reference to it in its place. */
  #comment(annotation: Element): string {
    const paragraphs = [...childrenOf(annotation, 'p'), ...descendantsOf(annotation, 'list-item')]
    const text = paragraphs
      .map((each) => this.plain(each).trim())
      .filter(Boolean)
      .join(' ')
    if (text === '') return ''
    const [author, date] = ['creator', 'date'].map((name) => childAt(annotation, name)?.textContent?.trim() ?? '')
    this.#commented += 1
    const reference = escapeHtml(`[${[author, `#${this.#commented}`].filter(Boolean).join(' ')}]`)
    this.#comments.push(`${reference} ${escapeHtml([date, text].filter(Boolean).join(': '))}`)
    return reference
  }
}
