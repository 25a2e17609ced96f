// Comments of a sheet, in both forms: notes, and threads, which older programs see as notes that repeat them.
import type { Archive } from './archive.ts'
import { attribute, childAt, childrenOf, descendantsOf, parseXml } from './xml.ts'

export interface CommentPart {
  isThreads: boolean
  root: Element
}

/** Names of commenting persons by id. @param relations of the workbook @throws MediaFailure */
export async function commentPersons(
  archive: Archive,
  relations: readonly { type: string; path: string }[],
): Promise<Map<string, string>> {
  const persons = new Map<string, string>()
  for (const { type, path } of relations) {
    if (type !== 'person' || !archive.has(path)) continue
    for (const person of childrenOf(parseXml(await archive.xml(path)), 'person'))
      persons.set(attribute(person, 'id') ?? '', attribute(person, 'displayName')?.trim() ?? '')
  }
  return persons
}

/** Markdown; empty without comments. */
export function sheetComments(parts: readonly CommentPart[], persons: ReadonlyMap<string, string>): string {
  const threads = parts.filter(({ isThreads }) => isThreads).flatMap(({ root }) => threadLines(root, persons))
  const notes = parts.filter(({ isThreads }) => !isThreads).flatMap(({ root }) => noteLines(root, threads.length > 0))
  const lines = [...notes, ...threads]
  return lines.length === 0 ? '' : `**Comments:**\n\n${lines.join('\n')}`
}

/** @param areRepeated whether those of threads are read */
function noteLines(root: Element, areRepeated: boolean): string[] {
  const authors = childrenOf(childAt(root, 'authors'), 'author').map((author) => author.textContent?.trim() ?? '')
  return [...descendantsOf(root, 'comment')].flatMap((comment) => {
    const author = authors[Number(attribute(comment, 'authorId') ?? -1)] ?? ''
    // The author of a thread is the thread.
    const isThread = author.startsWith('tc={')
    if (isThread && areRepeated) return []
    return lineOf(comment, 't', [isThread ? '' : author])
  })
}

function threadLines(root: Element, persons: ReadonlyMap<string, string>): string[] {
  return childrenOf(root, 'threadedComment').flatMap((comment) =>
    lineOf(comment, 'text', [persons.get(attribute(comment, 'personId') ?? '') ?? '', attribute(comment, 'dT') ?? '']),
  )
}

/** `- B2, Ada Sund, 2026-06-18T17:12:37: Too high?` @param name of the elements with its text @param by whom and when */
function lineOf(comment: Element, name: string, by: string[]): string[] {
  const text = [...descendantsOf(comment, name)]
    .map((each) => each.textContent ?? '')
    .join('')
    .trim()
  // Programs write the author before a note as well.
  const own = by[0] !== '' && text.startsWith(`${by[0]}:`) ? text.slice(by[0]!.length + 1).trim() : text
  if (own === '') return []
  const place = [attribute(comment, 'ref') ?? '', ...by].filter((each) => each !== '').join(', ')
  return [`- ${place}: ${own.replaceAll(/\s*\n\s*/g, ' ')}`]
}
