// What stands above the text of an article in JATS: title, authors, their institutions, where it was published, abstracts.
import { attribute, childAt, childrenOf, descendantsOf, escapeHtml, nameOf } from './xml.ts'

type Inline = (element: Element) => string
type Block = (element: Element, level: number) => string

/** @param front `front` of an article, or `front-stub` of a part of it */
export function frontHtml(front: Element, level: number, inline: Inline, block: Block): string {
  const meta = childAt(front, 'article-meta') ?? front
  const journal = childAt(front, 'journal-meta')
  const all = (...names: string[]) => childrenOf(meta, ...names)
  const titles = childrenOf(childAt(meta, 'title-group'), 'article-title', 'subtitle').map(inline)
  const paragraphs = [
    ...all('contrib-group').map((group) => authorsOf(group, inline)),
    ...all('aff', 'author-notes', 'supplement').map((each) => block(each, level)),
    ...childrenOf(meta, 'contrib-group').flatMap((group) => childrenOf(group, 'aff').map((each) => block(each, level))),
    publicationOf(meta, journal, inline),
    datesOf(meta),
    ...all('permissions').flatMap((each) =>
      childrenOf(each, 'copyright-statement', 'license').map((part) => block(part, level)),
    ),
  ]
  const after = [
    ...all('kwd-group').map((group) => keywordsOf(group, inline)),
    labelled('Subjects', subjectsOf(meta)),
    ...fundingOf(meta, inline),
    ...[...descendantsOf(meta, 'custom-meta')].map((each) =>
      labelled(textOf(childAt(each, 'meta-name')), valuesOf(childAt(each, 'meta-value'), inline)),
    ),
  ]
  return [
    titles.length > 0 ? `<h${Math.min(level, 6)}>${titles.join(': ')}</h${Math.min(level, 6)}>` : '',
    ...paragraphs.map(paragraph),
    ...all('abstract', 'trans-abstract').map((each) => block(each, level + 1)),
    ...after.map(paragraph),
  ].join('')
}

function authorsOf(group: Element, inline: Inline): string {
  return childrenOf(group, 'contrib')
    .map((author) => {
      const names = childrenOf(author, 'name', 'string-name', 'collab', 'anonymous', 'name-alternatives').map(
        nameOfPerson,
      )
      const numbers = childrenOf(author, 'xref')
        .map(inline)
        .filter((each) => each.trim() !== '')
      const more = childrenOf(author, 'degrees', 'role', 'aff', 'email').map(inline)
      const beside = more.length > 0 ? ` (${more.join(', ')})` : ''
      return names.map(escapeHtml).join(' ') + (numbers.length > 0 ? ` <sup>${numbers.join(' ')}</sup>` : '') + beside
    })
    .filter((each) => each.trim() !== '')
    .join(', ')
}

/** `Ada Lovelace`: the family name stands first in the file. */
function nameOfPerson(name: Element): string {
  const person = nameOf(name) === 'name-alternatives' ? childrenOf(name)[0] : name
  const parts = ['prefix', 'given-names', 'surname', 'suffix'].map((each) => textOf(childAt(person, each)))
  return parts.some((each) => each !== '') ? parts.filter((each) => each !== '').join(' ') : textOf(person)
}

function publicationOf(meta: Element, journal: Element | undefined, inline: Inline): string {
  const [date] = childrenOf(meta, 'pub-date')
  const parts = [
    textOf(childAt(journal, 'journal-title-group', 'journal-title') ?? childAt(journal, 'journal-title')),
    ...childrenOf(childAt(journal, 'publisher')).map(textOf),
    ...childrenOf(date, 'year').map(textOf),
    ...['volume', 'issue', 'fpage', 'lpage', 'elocation-id'].flatMap((name) => childrenOf(meta, name).map(textOf)),
  ].map(escapeHtml)
  const numbers = childrenOf(meta, 'article-id')
    .filter((each) => /^(?:doi|pmid|pmc|pmcid)$/.test(attribute(each, 'pub-id-type') ?? ''))
    .map((each) => `${(attribute(each, 'pub-id-type') ?? '').toUpperCase()}: ${inline(each)}`)
  return [...parts, ...numbers].filter((each) => each !== '').join(', ')
}

function datesOf(meta: Element): string {
  return childrenOf(childAt(meta, 'history'), 'date')
    .map((date) => {
      const [year, month, day] = ['year', 'month', 'day'].map((each) => textOf(childAt(date, each)))
      const kind = attribute(date, 'date-type') ?? ''
      return escapeHtml(`${kind} ${[year, month, day].filter((each) => each !== '').join('-')}`.trim())
    })
    .join(', ')
}

function keywordsOf(group: Element, inline: Inline): string {
  const title = childAt(group, 'title')
  return labelled(title ? inline(title) : 'Keywords', childrenOf(group, 'kwd', 'compound-kwd').map(inline))
}

/** Each once: catalogues name them for every branch. */
function subjectsOf(meta: Element): string[] {
  const categories = childAt(meta, 'article-categories')
  return categories
    ? [...new Set([...descendantsOf(categories, 'subject')].map((each) => escapeHtml(textOf(each))))]
    : []
}

function fundingOf(meta: Element, inline: Inline): string[] {
  return childrenOf(meta, 'funding-group').flatMap((group) => [
    ...childrenOf(group, 'award-group').map((award) =>
      labelled(
        'Funding',
        ['funding-source', 'award-id'].flatMap((name) => childrenOf(award, name).map(inline)),
      ),
    ),
    ...childrenOf(group, 'funding-statement').map(inline),
  ])
}

function valuesOf(value: Element | undefined, inline: Inline): string[] {
  return value ? [inline(value)] : []
}

function labelled(label: string, values: string[]): string {
  const filled = values.filter((each) => each.trim() !== '')
  return filled.length === 0 ? '' : `${label === '' ? '' : `${label}: `}${filled.join(', ')}`
}

function paragraph(html: string): string {
  return html.trim() === '' ? '' : `<div>${html}</div>`
}

function textOf(element: Element | undefined): string {
  return (element?.textContent ?? '').trim().replaceAll(/\s+/g, ' ')
}
