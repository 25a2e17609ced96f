// Converts the HTML of a document to Markdown.
import { absoluteUrl, parseHtml, resolveLinks, tidy, UNREAD } from '../html.ts'
import { MediaFailure } from '../../failure.ts'
import { toMarkdown } from '../to-markdown.ts'
import { PAGE_BREAK } from './pages.ts'

/** Navigation and form elements. */
const AROUND = 'nav, form, button, input, select, [role="navigation"], [role="search"]'
/** Placeholder URL of images: only their alternative text is kept. */
const PICTURE = 'about:picture'

/**
 * `hr.page` becomes a page break. The first row of a table without a header is its header.
 * @throws MediaFailure
 */
export function markupToMarkdown(html: string): string {
  const document = parse(html)
  const title = tidy(document.querySelector('title')?.textContent ?? '').replaceAll(/\s+/g, ' ')
  for (const element of document.querySelectorAll(`${UNREAD}, ${AROUND}`)) element.remove()
  for (const image of document.querySelectorAll('img')) image.setAttribute('src', PICTURE)
  resolveLinks(document, (href) => (href === PICTURE ? href : absoluteUrl(href)))
  for (const table of document.querySelectorAll('table')) markHead(document, table)
  for (const rule of document.querySelectorAll('hr.page')) rule.replaceWith(document.createTextNode(BREAK_MARK))
  const markdown = tidy(toMarkdown(document.body)).replaceAll(`(${PICTURE})`, '()').replaceAll(BREAK_MARK, PAGE_BREAK)
  return title === '' || document.querySelector('h1') ? markdown : `# ${title}\n\n${markdown}`
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

function markHead(document: Document, table: Element): void {
  const row = table.querySelector('tr')
  if (!row || table.querySelector('th') || table.querySelector('table')) return
  for (const cell of row.querySelectorAll('td')) {
    const head = document.createElement('th')
    const span = cell.getAttribute('colspan')
    if (span !== null) head.setAttribute('colspan', span)
    head.append(...cell.childNodes)
    cell.replaceWith(head)
  }
}
