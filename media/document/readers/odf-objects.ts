// Objects within an OpenDocument: charts as tables of their values, formulas as TeX.
import { MediaFailure } from '../../failure.ts'
import { mathmlToTex } from '../mathml.ts'
import type { Archive } from './archive.ts'
import { type Chart, chartHtml, MAX_POINTS } from './chart-html.ts'
import { TEX_CLASS } from './markup.ts'
import { plainNumber } from './number-format.ts'
import { attribute, childAt, childrenOf, descendantsOf, escapeHtml, nameOf, parseXml } from './xml.ts'

/** HTML of an object element (`draw:object`), or undefined for one that is not read. */
export type ReadObject = (object: Element) => string | undefined

/** Reads the objects of an archive beforehand. @throws MediaFailure */
export async function objectsOf(archive: Archive, content: Element): Promise<ReadObject> {
  const known = new Map<string, string | undefined>()
  for (const object of descendantsOf(content, 'object')) {
    const path = pathOf(object)
    if (path === undefined || known.has(path)) continue
    known.set(path, await objectHtml(archive, `${path}/content.xml`))
  }
  return (object) => known.get(pathOf(object) ?? '') ?? htmlOf(childrenOf(object)[0])
}

/** Objects of a document that is one XML file. */
export const flatObjects: ReadObject = (object) => htmlOf(childrenOf(object)[0])

function pathOf(object: Element): string | undefined {
  return attribute(object, 'href')?.replace(/^\.\//, '')
}

async function objectHtml(archive: Archive, part: string): Promise<string | undefined> {
  if (!archive.has(part)) return undefined
  try {
    return htmlOf(parseXml(await archive.xml(part)))
  } catch (error) {
    // The rest of the document can be read.
    if (error instanceof MediaFailure) return undefined
    throw error
  }
}

function htmlOf(root: Element | undefined): string | undefined {
  if (!root) return undefined
  if (nameOf(root) === 'math') return formula(root)
  const chart = childAt(root, 'body', 'chart', 'chart')
  return chart && (chartHtml(chartOf(chart)) || undefined)
}

function formula(math: Element): string {
  const annotations = [...descendantsOf(math, 'annotation')]
  for (const annotation of annotations) annotation.remove()
  // The library knows no prefixes.
  const plain = parseXml(math.outerHTML.replaceAll(/(<\/?)\w+:/g, '$1'))
  return `<code class="${TEX_CLASS}">${escapeHtml(mathmlToTex(plain))}</code>`
}

function chartOf(chart: Element): Chart {
  const kind = (attribute(chart, 'class') ?? '').replace(/^\w+:/, '')
  const plot = childAt(chart, 'plot-area')
  const [header = [], ...rows] = rowsOf(childAt(chart, 'table'))
  const categories = new Map(rows.map((row, index) => [index, row[0] ?? '']))
  return {
    kind: kind === '' ? 'Chart' : `${kind[0]!.toUpperCase()}${kind.slice(1)} chart`,
    title: [childAt(chart, 'title'), childAt(chart, 'subtitle')].map(textOf).filter(Boolean).join(' '),
    axes: childrenOf(plot, 'axis').map((axis) => textOf(childAt(axis, 'title'))),
    series: header.slice(1).map((name, column) => ({
      name,
      categories,
      values: [{ name: '', points: new Map(rows.map((row, index) => [index, row[column + 1] ?? ''])) }],
    })),
  }
}

/** The values of a chart, which it stores as a table. */
function rowsOf(table: Element | undefined): string[][] {
  if (!table) return []
  return [...descendantsOf(table, 'table-row')].slice(0, MAX_POINTS + 1).map((row) =>
    childrenOf(row, 'table-cell').map((cell) => {
      const value = Number(attribute(cell, 'value') ?? 'NaN')
      if (attribute(cell, 'value-type') === 'float') return Number.isNaN(value) ? '' : plainNumber(value)
      return textOf(cell)
    }),
  )
}

function textOf(element: Element | undefined): string {
  return (element?.textContent ?? '').replaceAll(/\s+/g, ' ').trim()
}
