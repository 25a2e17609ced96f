// What an XLSX file keeps beside the cells of a sheet: comments, text boxes, the headers of its tables; charts and pictures
// are counted.
import type { Notice } from '../../../contracts/notices.ts'
import type { Archive } from './archive.ts'
import { rangeOf } from './cell-references.ts'
import { relationsOf } from './workbook.ts'
import { attribute, childrenOf, descendantsOf, parseXml } from './xml.ts'

export interface SheetExtras {
  /** Markdown. */
  text: string
  headers: { from: number; to: number }[]
  notices: Notice[]
}

/** @param part of the sheet @param name of the sheet @throws MediaFailure */
export async function sheetExtras(archive: Archive, part: string, name: string): Promise<SheetExtras> {
  const found: SheetExtras = { text: '', headers: [], notices: [] }
  const texts: string[] = []
  const relations = (await relationsOf(archive, part)).filter(({ path }) => archive.has(path))
  const hasThreads = relations.some(({ type }) => type === 'threadedComment')
  for (const { type, path } of relations) {
    if (type === 'table') found.headers.push(...tableHeader(parseXml(await archive.xml(path))))
    // The older form of a threaded comment repeats it.
    else if (type === 'threadedComment' || (type === 'comments' && !hasThreads))
      texts.push(...commentsOf(parseXml(await archive.xml(path))))
    else if (type === 'drawing') {
      const { boxes, notices } = readDrawing(parseXml(await archive.xml(path)), `Sheet ${name}`)
      texts.push(...boxes)
      found.notices.push(...notices)
    }
  }
  found.text = texts.join('\n\n')
  return found
}

function tableHeader(table: Element): { from: number; to: number }[] {
  const range = rangeOf(attribute(table, 'ref') ?? '')
  const rows = Number(attribute(table, 'headerRowCount') ?? 1)
  return range && rows > 0 ? [{ from: range.top, to: range.top + rows - 1 }] : []
}

function commentsOf(root: Element): string[] {
  const comments = [...descendantsOf(root, 'comment'), ...descendantsOf(root, 'threadedComment')].flatMap((comment) => {
    const text = [...textsOf(comment, 't'), ...textsOf(comment, 'text')].join('')
    return text.trim() === '' ? [] : [`- ${attribute(comment, 'ref') ?? ''}: ${oneLine(text)}`]
  })
  return comments.length === 0 ? [] : [`**Comments:**\n\n${comments.join('\n')}`]
}

/** `text` holds words itself, in threads, or runs. */
function textsOf(element: Element, name: string): string[] {
  return [...descendantsOf(element, name)]
    .filter(({ children }) => children.length === 0)
    .map((each) => each.textContent ?? '')
}

function readDrawing(drawing: Element, place: string): { boxes: string[]; notices: Notice[] } {
  const boxes = [...descendantsOf(drawing, 'txBody')].map((body) =>
    childrenOf(body, 'p')
      .map((paragraph) => [...descendantsOf(paragraph, 't')].map((each) => each.textContent ?? '').join(''))
      .filter((each) => each.trim() !== '')
      .join('\n\n'),
  )
  const count = (name: string) => [...descendantsOf(drawing, name)].length
  const named = (message: string, number: number): Notice[] =>
    number === 0 ? [] : [{ code: 'not_read', message, count: number, places: [place] }]
  return {
    boxes: boxes.filter((each) => each !== ''),
    notices: [
      ...named('Charts in sheets are not read', count('graphicFrame')),
      ...named('Pictures in sheets are not read', count('pic')),
    ],
  }
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, ' ')
}
