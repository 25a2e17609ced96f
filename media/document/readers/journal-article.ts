// Articles of journals in JATS, the XML of PubMed Central and publishers, as HTML that says what their pages show.
import { frontHtml } from './journal-front.ts'
import { LABEL_CLASS, TEX_CLASS } from './markup.ts'
import { attribute, childAt, childrenOf, escapeHtml, nameOf } from './xml.ts'

/** Elements with a heading of their own, and what it is without a title. */
const SECTIONS: Record<string, string> = {
  sec: '',
  app: '',
  notes: '',
  glossary: '',
  statement: '',
  'boxed-text': '',
  bio: '',
  'fn-group': '',
  ack: 'Acknowledgments',
  abstract: 'Abstract',
  'trans-abstract': 'Abstract',
  'ref-list': 'References',
}
/** Elements within a line, and their HTML. */
const INLINE: Record<string, string> = {
  italic: 'em',
  bold: 'strong',
  sup: 'sup',
  sub: 'sub',
  monospace: 'code',
  strike: 'del',
}
const PLAIN = new Set(
  'xref named-content styled-content abbrev sc underline overline roman sans-serif inline-formula inline-graphic etal year month day season source volume issue fpage lpage elocation-id article-title chapter-title data-title part-title series edition publisher-name publisher-loc surname given-names prefix suffix collab institution institution-wrap addr-line country city state comment pub-id isbn conf-name conf-loc conf-date date-in-citation patent size std version fn-type role'.split(
    ' ',
  ),
)
const BLOCKS: Record<string, string> = {
  list: 'ul',
  'list-item': 'li',
  'disp-quote': 'blockquote',
  'verse-group': 'blockquote',
  table: 'table',
  thead: 'thead',
  tbody: 'tbody',
  tfoot: 'tfoot',
  tr: 'tr',
  td: 'td',
  th: 'th',
}
/** Elements whose parts have no signs between them, unless the file writes them. */
const PARTED = new Set(
  'person-group element-citation mixed-citation citation nlm-citation aff institution-wrap addr-line date'.split(' '),
)
/** Numbers for catalogues. */
export const IDENTIFIERS = ['journal-id', 'issn', 'contrib-id', 'institution-id', 'object-id']
const LEFT_OUT = new Set([...IDENTIFIERS, 'colgroup', 'col'])
const BESIDE = new Set(['label', 'title'])
const MOST_LEVELS = 6

/** The articles of a document; none where it is no document of a journal. */
export function articlesOf(root: Element): Element[] {
  const articles = nameOf(root) === 'pmc-articleset' ? childrenOf(root, 'article') : [root]
  return articles.filter((each) => nameOf(each) === 'article' && childAt(each, 'front'))
}

/** `IDENTIFIERS` are left out. */
export function articleHtml(article: Element, level = 1): string {
  const front = childrenOf(article, 'front', 'front-stub').map((each) => frontHtml(each, level, inlineHtml, blockHtml))
  const parts = childrenOf(article, 'body', 'back', 'floats-group').map((each) => contentHtml(each, level + 1))
  const others = childrenOf(article, 'sub-article', 'response').map((each) => articleHtml(each, level + 1))
  return [...front, ...parts, ...others].join('')
}

/** The children of an element within a line. */
function inlineHtml(element: Element): string {
  return hasParts(element) ? partsHtml(element) : contentHtml(element, MOST_LEVELS)
}

function hasParts(element: Element): boolean {
  return PARTED.has(nameOf(element)) && !hasText(element)
}

function contentHtml(element: Element, level: number, except?: ReadonlySet<string>): string {
  const isMixed = hasText(element)
  let html = ''
  for (const node of element.childNodes) {
    if (node.nodeType === 3 || node.nodeType === 4) html += escapeHtml(node.textContent ?? '')
    if (node.nodeType !== 1 || except?.has(nameOf(node as Element))) continue
    html += blockHtml(node as Element, level, isMixed)
  }
  return html
}

/** @param isInLine whether text stands beside it */
export function blockHtml(element: Element, level: number, isInLine = false): string {
  const name = nameOf(element)
  const content = () => contentHtml(element, level)
  if (LEFT_OUT.has(name)) return ''
  if (SECTIONS[name] !== undefined) return sectionHtml(element, level)
  if (INLINE[name] !== undefined) return `<${INLINE[name]}>${content()}</${INLINE[name]}>`
  if (name === 'list' && /^(?:order|alpha|roman)/.test(attribute(element, 'list-type') ?? ''))
    return `<ol>${content()}</ol>`
  if (BLOCKS[name] !== undefined) return `<${BLOCKS[name]}${spans(element)}>${content()}</${BLOCKS[name]}>`
  switch (name) {
    case 'break':
      return '<br>'
    case 'label':
      return `<strong>${content()}</strong> `
    case 'title':
    case 'term':
      return `<div><strong>${content()}</strong></div>`
    case 'caption':
      return captionHtml(element)
    case 'ext-link':
    case 'uri':
    case 'email':
      return linkHtml(element, content())
    case 'alternatives':
      return alternativeHtml(element, level)
    case 'math':
      return mathHtml(element)
    case 'tex-math':
      return `<code class="${TEX_CLASS}">${escapeHtml(texOf(element.textContent ?? ''))}</code>`
    case 'name':
    case 'string-name':
      return hasText(element) ? content() : childrenOf(element).map(inlineHtml).join(' ')
    case 'preformat':
    case 'code':
      return `<pre><code>${content()}</code></pre>`
    case 'ref':
      return referenceHtml(element)
    default:
      return shownIn(name, hasParts(element) ? partsHtml(element) : content(), isInLine)
  }
}

function shownIn(name: string, html: string, isInLine: boolean): string {
  return isInLine || PLAIN.has(name) ? html : `<div>${html}</div>`
}

function sectionHtml(element: Element, level: number): string {
  const [title] = childrenOf(element, 'title')
  const [label] = childrenOf(element, 'label')
  const heading = [label, title].map((each) => (each ? inlineHtml(each) : '')).filter((each) => each.trim() !== '')
  if (!title && SECTIONS[nameOf(element)] !== '') heading.push(SECTIONS[nameOf(element)]!)
  const at = Math.min(level, MOST_LEVELS)
  const above = heading.length > 0 ? `<h${at}>${heading.join(' ')}</h${at}>` : ''
  const content = contentHtml(element, level + 1, BESIDE)
  return above + (nameOf(element) === 'ref-list' ? content.replaceAll('</ul><ul>', '') : content)
}

/** Its number is what the text refers to. */
function referenceHtml(reference: Element): string {
  const [label] = childrenOf(reference, 'label')
  const number = label ? `<span class="${LABEL_CLASS}">${inlineHtml(label)}</span>` : ''
  return `<ul><li>${number}${contentHtml(reference, MOST_LEVELS, BESIDE)}</li></ul>`
}

/** Parts without signs between them. */
function partsHtml(element: Element): string {
  let html = ''
  let between = ''
  for (const part of childrenOf(element)) {
    const kind = nameOf(part) === 'pub-id' ? (attribute(part, 'pub-id-type') ?? '').toUpperCase() : ''
    const words = blockHtml(part, MOST_LEVELS, true)
    if (words.trim() === '') continue
    if (between !== '' && nameOf(part) === 'lpage') between = '–'
    html += between + (kind === '' ? '' : `${escapeHtml(kind)}: `) + words
    between = nameOf(part) === 'label' ? '' : ', '
  }
  return html
}

function captionHtml(caption: Element): string {
  const [title] = childrenOf(caption, 'title')
  return (title ? `<strong>${inlineHtml(title)}</strong>` : '') + contentHtml(caption, MOST_LEVELS, BESIDE)
}

function linkHtml(element: Element, words: string): string {
  const address = attribute(element, 'href')
  return address === undefined ? words : `<a href="${escapeHtml(address)}">${words || escapeHtml(address)}</a>`
}

/** One of several forms of the same: a formula before its picture. */
function alternativeHtml(element: Element, level: number): string {
  const children = childrenOf(element)
  const best = ['tex-math', 'math', 'table', 'textual-form']
    .map((name) => children.find((child) => nameOf(child) === name))
    .find((child) => child !== undefined)
  return best ? blockHtml(best, level, true) : contentHtml(element, level)
}

function mathHtml(math: Element): string {
  return math.outerHTML.replaceAll(/(<\/?)[\w.-]+:/g, '$1')
}

/** The formula of a whole TeX document. */
function texOf(text: string): string {
  const inner = /\\begin\{document\}([^]*)\\end\{document\}/.exec(text)?.[1] ?? text
  return inner
    .trim()
    .replace(/^(\$\$?|\\\[|\\\()([^]*?)(?:\$\$?|\\\]|\\\))$/, '$2')
    .trim()
}

function spans(cell: Element): string {
  return ['colspan', 'rowspan']
    .map((name) => ({ name, value: attribute(cell, name) }))
    .filter(({ value }) => value !== undefined && /^\d+$/.test(value))
    .map(({ name, value }) => ` ${name}="${value}"`)
    .join('')
}

function hasText(element: Element): boolean {
  return [...element.childNodes].some(
    (node) => (node.nodeType === 3 || node.nodeType === 4) && (node.textContent ?? '').trim() !== '',
  )
}
