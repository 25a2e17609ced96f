// Comments of slides, in the two forms of PowerPoint: `p:cm` with its text, and since 2021 threads with replies.
import type { Archive } from './archive.ts'
import { type Relation, relationsOf } from './relations.ts'
import { attribute, childAt, childrenOf, descendantsOf, escapeHtml, nameOf, parseXml } from './xml.ts'

/** Names by id. @param relations of the presentation @throws MediaFailure */
export async function commentAuthors(archive: Archive, relations: readonly Relation[]): Promise<Map<string, string>> {
  const authors = new Map<string, string>()
  for (const { type, part } of relations) {
    if (!/\/(?:commentAuthors|authors)$/.test(type) || !archive.has(part)) continue
    for (const author of childrenOf(parseXml(await archive.xml(part))))
      authors.set(attribute(author, 'id') ?? '', attribute(author, 'name')?.trim() ?? '')
  }
  return authors
}

/** HTML, empty without comments. @throws MediaFailure */
export async function slideComments(
  archive: Archive,
  slide: string,
  authors: ReadonlyMap<string, string>,
): Promise<string> {
  const lines: string[] = []
  for (const { type, part } of await relationsOf(archive, slide)) {
    if (!type.endsWith('/comments') || !archive.has(part)) continue
    for (const comment of childrenOf(parseXml(await archive.xml(part)), 'cm')) {
      lines.push(lineOf(comment, authors))
      for (const reply of descendantsOf(comment, 'reply')) lines.push(lineOf(reply, authors))
    }
  }
  const items = lines.filter((line) => line !== '').map((line) => `<li>${line}</li>`)
  return items.length === 0 ? '' : `<p><strong>Comments:</strong></p><ul>${items.join('')}</ul>`
}

/** `Ada Sund, 2026-06-18T17:35:35: Too high?` */
function lineOf(comment: Element, authors: ReadonlyMap<string, string>): string {
  const text = childAt(comment, 'text')?.textContent ?? richText(childAt(comment, 'txBody'))
  if (text.trim() === '') return ''
  const author = authors.get(attribute(comment, 'authorId') ?? '')
  const by = [author, attribute(comment, 'dt') ?? attribute(comment, 'created')].filter(Boolean).join(', ')
  return escapeHtml(`${by}${by && ': '}${text.trim().replaceAll(/\s*\n\s*/g, ' ')}`)
}

function richText(body: Element | undefined): string {
  return childrenOf(body, 'p')
    .map((paragraph) =>
      childrenOf(paragraph, 'r', 'fld', 'br')
        .map((run) => (nameOf(run) === 'br' ? ' ' : (childAt(run, 't')?.textContent ?? '')))
        .join(''),
    )
    .join('\n')
}
