// Converts the HTML of a document to Markdown.
import type { Notice } from '../../../contracts/notices.ts'
import { MediaFailure } from '../../failure.ts'
import { absoluteUrl, resolveLinks, tidy, UNREAD } from '../html.ts'
import { showParts } from '../html-parts.ts'
import { parseHtml } from '../html-tree.ts'
import { flattenNested } from '../table-grid.ts'
import { toMarkdown } from '../to-markdown.ts'
import { PAGE_BREAK } from './pages.ts'

/** Classes of what a reader writes: a number before a text, and a formula. */
export const LABEL_CLASS = 'muxi-label'
export const TEX_CLASS = 'muxi-tex'
/** Placeholder URL of images: only their alternative text is kept. */
const PICTURE = 'about:picture'

/**
 * `hr.page` becomes a page break. The first row of a table without a header is its header.
 * @param notices receives what is left out
 * @param options.keepsRelative whether links that are relative to the file keep their target
 * @throws MediaFailure
 */
export function markupToMarkdown(html: string, notices: Notice[] = [], { keepsRelative = false } = {}): string {
  const document = parse(html)
  showParts(document)
  markLabels(document)
  moveNavigation(document)
  notices.push(...leftOut(document))
  const title = tidy(document.querySelector('title')?.textContent ?? '').replaceAll(/\s+/g, ' ')
  const base = document.querySelector('base[href]')?.getAttribute('href') ?? undefined
  for (const element of document.querySelectorAll(UNREAD)) element.remove()
  for (const image of document.querySelectorAll('img')) image.setAttribute('src', PICTURE)
  resolveLinks(document, (href) => {
    if (href === PICTURE) return href
    return isWithin(href) ? undefined : (absoluteUrl(href, base) ?? (keepsRelative ? relativeUrl(href) : undefined))
  })
  flattenNested(document.body)
  for (const table of document.querySelectorAll('table')) markHead(document, table)
  for (const rule of document.querySelectorAll('hr.page')) rule.replaceWith(document.createTextNode(BREAK_MARK))
  const markdown = tidy(toMarkdown(document.body)).replaceAll(`(${PICTURE})`, '()').replaceAll(BREAK_MARK, PAGE_BREAK)
  return title === '' || document.querySelector('h1') ? markdown : `# ${title}\n\n${markdown}`
}

/** A link to a place in the document itself. */
function isWithin(href: string): boolean {
  return /^\s*(?:#|$)/.test(href)
}

/** A link to another file beside this one; undefined for other protocols. */
function relativeUrl(href: string): string | undefined {
  const path = href.trim()
  if (/^(?:[a-z][\w+.-]*:|\/\/)/i.test(path)) return undefined
  return path.replaceAll(/[\s()<>]/g, (character) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

/** Navigation above the first heading comes last: the beginning of a page says what the page is about. */
function moveNavigation(document: Document): void {
  const heading = document.querySelector('h1, h2, h3')
  if (!heading) return
  const FOLLOWING = 4
  for (const navigation of document.querySelectorAll('nav, [role="navigation"], [role="search"]')) {
    const isAbove = (navigation.compareDocumentPosition(heading) & FOLLOWING) !== 0
    if (isAbove && !navigation.contains(heading)) document.body.append(navigation)
  }
}

/** Numbers of items replace those that Markdown would count; an item that only contains a list has none. */
function markLabels(document: Document): void {
  for (const label of document.querySelectorAll(`span.${LABEL_CLASS}`)) {
    const item = label.parentElement
    if (item?.tagName !== 'LI' || item.firstChild !== label) continue
    item.setAttribute('data-label', label.textContent?.trim() ?? '')
    label.remove()
    for (let list = item.parentElement?.parentElement; list?.tagName === 'LI'; list = list.parentElement?.parentElement)
      if (/^(OL|UL)$/.test((list.firstChild as Element | null)?.tagName ?? '')) list.setAttribute('data-label', '')
  }
}

/** A private use character, because a form feed is collapsed as whitespace. */
const BREAK_MARK = '\uF8F0'

function parse(html: string): Document {
  try {
    return parseHtml(html)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new MediaFailure('unsafe', 'The document is nested too deeply to be read', { cause: error })
  }
}

/** What a browser shows or could show, and this does not. */
function leftOut(document: Document): Notice[] {
  const count = (selector: string, isCounted: (element: Element) => boolean) =>
    [...document.querySelectorAll(selector)].filter(isCounted).length
  const hasText = ({ textContent }: Element) => /[\p{L}\p{N}]/u.test(textContent ?? '')
  const counted = [
    { code: 'left_out', message: 'Hidden text is left out', count: count('[hidden], dialog:not([open])', hasText) },
    {
      code: 'not_read',
      message: 'Text in pictures is not read',
      count: count('img', (image) => /^\s*data:image\//i.test(image.getAttribute('src') ?? '')),
    },
    {
      code: 'not_read',
      message: 'Embedded pages and objects are not read',
      count: count('iframe, object, embed', (frame) => frame.hasAttribute('src') || frame.hasAttribute('data')),
    },
  ] as const
  return counted.filter((each) => each.count > 0).map((each) => ({ ...each, places: [] }))
}

function markHead(document: Document, table: Element): void {
  const row = table.querySelector('tr')
  if (!row || table.querySelector('th') || table.querySelector('table')) return
  for (const cell of row.querySelectorAll('td')) {
    const head = document.createElement('th')
    for (const name of ['colspan', 'rowspan']) {
      const span = cell.getAttribute(name)
      if (span !== null) head.setAttribute(name, span)
    }
    head.append(...cell.childNodes)
    cell.replaceWith(head)
  }
}
