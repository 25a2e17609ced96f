// PPTX files and charts of a few lines of XML.
import { zip } from './documents.ts'

const RELATIONS = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'
const SPACES = [
  ['p', 'http://schemas.openxmlformats.org/presentationml/2006/main'],
  ['a', 'http://schemas.openxmlformats.org/drawingml/2006/main'],
  ['r', RELATIONS],
  ['c', 'http://schemas.openxmlformats.org/drawingml/2006/chart'],
  ['m', 'http://schemas.openxmlformats.org/officeDocument/2006/math'],
  ['a14', 'http://schemas.microsoft.com/office/drawing/2010/main'],
  ['mc', 'http://schemas.openxmlformats.org/markup-compatibility/2006'],
]
  .map(([name, uri]) => `xmlns:${name}="${uri}"`)
  .join(' ')

export interface SlideSource {
  /** Shapes. */
  shapes: string
  hidden?: boolean
  /** By relation: its type and its part, of which a path in `parts` is the target. */
  relations?: Record<string, [type: string, target: string]>
}

/** @param parts beside the slides: their content, and the type of the presentation's relation to them, if any */
export function presentation(
  slides: SlideSource[],
  parts: Record<string, { content: string | Uint8Array; type?: string }> = {},
): Buffer {
  const own = Object.entries(parts).flatMap(([name, { type }], index): [string, string, string][] =>
    type === undefined ? [] : [[`own${index}`, type, name]],
  )
  const named = slides.map((_, index): [string, string, string] => [
    `rId${index + 1}`,
    'slide',
    `slide${index + 1}.xml`,
  ])
  const files: Record<string, string | Uint8Array> = {
    'ppt/presentation.xml': `<p:presentation ${SPACES}><p:sldIdLst>${named
      .map(([id], index) => `<p:sldId id="${256 + index}" r:id="${id}"/>`)
      .join('')}</p:sldIdLst></p:presentation>`,
    'ppt/_rels/presentation.xml.rels': relations([...named, ...own]),
  }
  for (const [index, { shapes, hidden, relations: related = {} }] of slides.entries()) {
    files[`ppt/slide${index + 1}.xml`] =
      `<p:sld ${SPACES}${hidden ? ' show="0"' : ''}><p:cSld><p:spTree>${shapes}</p:spTree></p:cSld></p:sld>`
    const list = Object.entries(related).map(([id, [type, target]]): [string, string, string] => [id, type, target])
    files[`ppt/_rels/slide${index + 1}.xml.rels`] = relations(list)
  }
  for (const [name, { content }] of Object.entries(parts)) files[`ppt/${name}`] = content
  return zip(files)
}

function relations(list: [id: string, type: string, target: string][]): string {
  const each = list.map(
    ([id, type, target]) =>
      `<Relationship Id="${id}" Type="${type.includes(':') ? type : `${RELATIONS}/${type}`}" Target="${target}"/>`,
  )
  return `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">${each.join('')}</Relationships>`
}

/** A graphic frame with a reference, such as `<c:chart r:id="rId1"/>`. */
export function frame(reference: string): string {
  return `<p:graphicFrame><a:graphic><a:graphicData>${reference}</a:graphicData></a:graphic></p:graphicFrame>`
}

interface SeriesSource {
  name?: string
  categories?: (string | number)[]
  values: (string | number)[]
}

/** A chart with stored values. @param format of its numbers */
export function chart(
  kind: string,
  series: SeriesSource[],
  { title = '', axis = '', format = 'General', space = '' } = {},
): string {
  const rich = (text: string) =>
    `<c:title>${text && `<c:tx><c:rich><a:p><a:r><a:t>${text}</a:t></a:r></a:p></c:rich></c:tx>`}</c:title>`
  const cache = (points: (string | number)[]) => {
    const isNumber = points.every((point) => typeof point === 'number')
    const [ref, name] = isNumber ? ['numRef', 'numCache'] : ['strRef', 'strCache']
    const list = points.map((point, index) => `<c:pt idx="${index}"><c:v>${point}</c:v></c:pt>`)
    return `<c:${ref}><c:${name}>${isNumber ? `<c:formatCode>${format}</c:formatCode>` : ''}${list.join('')}</c:${name}></c:${ref}>`
  }
  const [cat, val] = kind === 'scatter' ? ['xVal', 'yVal'] : ['cat', 'val']
  const all = series.map(
    ({ name, categories, values }) =>
      `<c:ser>${name === undefined ? '' : `<c:tx>${cache([String(name)])}</c:tx>`}${categories ? `<c:${cat}>${cache(categories)}</c:${cat}>` : ''}<c:${val}>${cache(values)}</c:${val}></c:ser>`,
  )
  return `<c:chartSpace ${SPACES}>${space}<c:chart>${rich(title)}<c:plotArea><c:${kind}Chart>${all.join('')}</c:${kind}Chart><c:valAx>${rich(axis)}</c:valAx></c:plotArea></c:chart></c:chartSpace>`
}
