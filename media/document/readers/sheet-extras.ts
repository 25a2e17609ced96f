// What an XLSX file keeps beside the cells of a sheet: comments, text boxes, charts, the headers of its tables, and
// its pictures.
import type { Notice } from '../../../contracts/notices.ts'
import type { Archive } from './archive.ts'
import { rangeOf } from './cell-references.ts'
import { PICTURES_NOT_READ } from './marks.ts'
import { markupToMarkdown } from './markup.ts'
import { chartParts } from './office-chart.ts'
import { type CommentPart, sheetComments } from './sheet-comments.ts'
import { imagesOf } from './relations.ts'
import { relationsOf } from './workbook.ts'
import { attribute, childAt, childrenOf, descendantsOf, nameOf, parseXml } from './xml.ts'

export interface SheetExtras {
  /** Markdown. */
  text: string
  headers: { from: number; to: number }[]
  notices: Notice[]
  /** Parts of its pictures. */
  pictures: string[]
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
  const found: SheetExtras = { text: '', headers: [], notices: [], pictures: [] }
  const texts: string[] = []
  const comments: CommentPart[] = []
  let objects = 0
  for (const { type, path } of await relationsOf(archive, part)) {
    if (!archive.has(path)) continue
    if (type === 'oleObject' || type === 'package') objects += 1
    else if (type === 'table') found.headers.push(...tableHeader(parseXml(await archive.xml(path))))
    else if (type === 'threadedComment' || type === 'comments')
      comments.push({ isThreads: type === 'threadedComment', root: parseXml(await archive.xml(path)) })
    else if (type === 'drawing') {
      const { blocks, notices, pictures } = await readDrawing(archive, path, `Sheet ${name}`)
      texts.push(...blocks)
      found.notices.push(...notices)
      found.pictures.push(...pictures)
    }
  }
  if (objects > 0) {
    const places = [`Sheet ${name}`]
    found.notices.push({ code: 'not_read', message: 'Embedded objects are not read', count: objects, places })
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
): Promise<{ blocks: string[]; notices: Notice[]; pictures: string[] }> {
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
  const images = await imagesOf(archive, path)
  const blips = [...descendantsOf(drawing, 'pic')]
    .filter((each) => !isOlder(each))
    .flatMap((each) => {
      const blip = childAt(each, 'blipFill', 'blip')
      return blip ? [images.get(attribute(blip, 'embed') ?? '')] : []
    })
  const pictures = [...new Set(blips.filter((part) => part !== undefined))]
  const named = (message: string, number: number): Notice[] =>
    number === 0 ? [] : [{ code: 'not_read', message, count: number, places: [place] }]
  return {
    blocks: [...boxes, ...charts.filter((html) => html !== '').map((html) => markupToMarkdown(html))].filter(
      (each) => each !== '',
    ),
    notices: [
      ...named('Charts or diagrams without stored values are not read', charts.filter((html) => html === '').length),
      ...named(PICTURES_NOT_READ, blips.filter((part) => part === undefined).length),
    ],
    pictures,
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
