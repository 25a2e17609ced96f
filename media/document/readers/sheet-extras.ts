// What an XLSX file keeps beside the cells of a sheet: comments, text boxes, charts, the headers of its tables; pictures are
// counted.
import type { Notice } from '../../../contracts/notices.ts'
import type { Archive } from './archive.ts'
import { rangeOf } from './cell-references.ts'
import { markupToMarkdown } from './markup.ts'
import { chartParts } from './office-chart.ts'
import { type CommentPart, sheetComments } from './sheet-comments.ts'
import { relationsOf } from './workbook.ts'
import { attribute, childrenOf, descendantsOf, nameOf, parseXml } from './xml.ts'

export interface SheetExtras {
  /** Markdown. */
  text: string
  headers: { from: number; to: number }[]
  notices: Notice[]
}

/**
 * @param part of the sheet
 * @param name of the sheet
 * @param persons names of commenting persons by id
 * @throws MediaFailure
 */
export async function sheetExtras(
  archive: Archive,
  part: string,
  name: string,
  persons: ReadonlyMap<string, string>,
): Promise<SheetExtras> {
  const found: SheetExtras = { text: '', headers: [], notices: [] }
  const texts: string[] = []
  const comments: CommentPart[] = []
  for (const { type, path } of await relationsOf(archive, part)) {
    if (!archive.has(path)) continue
    if (type === 'table') found.headers.push(...tableHeader(parseXml(await archive.xml(path))))
    else if (type === 'threadedComment' || type === 'comments')
      comments.push({ isThreads: type === 'threadedComment', root: parseXml(await archive.xml(path)) })
    else if (type === 'drawing') {
      const { blocks, notices } = await readDrawing(archive, path, `Sheet ${name}`)
      texts.push(...blocks)
      found.notices.push(...notices)
    }
  }
  found.text = [...texts, sheetComments(comments, persons)].filter((text) => text !== '').join('\n\n')
  return found
}

function tableHeader(table: Element): { from: number; to: number }[] {
  const range = rangeOf(attribute(table, 'ref') ?? '')
  const rows = Number(attribute(table, 'headerRowCount') ?? 1)
  return range && rows > 0 ? [{ from: range.top, to: range.top + rows - 1 }] : []
}

async function readDrawing(
  archive: Archive,
  path: string,
  place: string,
): Promise<{ blocks: string[]; notices: Notice[] }> {
  const drawing = parseXml(await archive.xml(path))
  const boxes = [...descendantsOf(drawing, 'txBody')].map((body) =>
    childrenOf(body, 'p')
      .map((paragraph) => [...descendantsOf(paragraph, 't')].map((each) => each.textContent ?? '').join(''))
      .filter((each) => each.trim() !== '')
      .join('\n\n'),
  )
  const parts = await chartParts(archive, path)
  const frames = [...descendantsOf(drawing, 'graphicFrame')].filter((frame) => !isOlder(frame))
  const charts = frames.map((frame) => {
    const references = [...descendantsOf(frame, 'chart'), ...descendantsOf(frame, 'relIds')]
    return references.map((each) => parts.get(relationOf(each)) ?? '').join('')
  })
  const named = (message: string, number: number): Notice[] =>
    number === 0 ? [] : [{ code: 'not_read', message, count: number, places: [place] }]
  return {
    blocks: [...boxes, ...charts.filter((html) => html !== '').map((html) => markupToMarkdown(html))].filter(
      (each) => each !== '',
    ),
    notices: [
      ...named('Charts or diagrams without stored values are not read', charts.filter((html) => html === '').length),
      ...named('Pictures in sheets are not read', [...descendantsOf(drawing, 'pic')].length),
    ],
  }
}

/** Whether it is in the older of two versions of a drawing. */
function isOlder(element: Element): boolean {
  for (let at = element.parentElement; at; at = at.parentElement) if (nameOf(at) === 'Fallback') return true
  return false
}

function relationOf(reference: Element): string {
  return [...reference.attributes].find(({ name }) => /:(?:id|dm)$/.test(name))?.value ?? ''
}
