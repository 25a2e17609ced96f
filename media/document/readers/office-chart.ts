// Charts and diagrams of Office documents as HTML: the stored values as a table, the texts as a list.
import type { Archive } from './archive.ts'
import { type ChartSeries, chartHtml, MAX_POINTS } from './chart-html.ts'
import { shownNumber } from './number-format.ts'
import { relationsOf } from './relations.ts'
import { attribute, childAt, childrenOf, descendantsOf, escapeHtml, nameOf, parseXml } from './xml.ts'

/** HTML of the charts and diagrams of a part by their relation, without those that hold no text. @throws MediaFailure */
export async function chartParts(archive: Archive, part: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const { id, type, part: target } of await relationsOf(archive, part)) {
    const read = /\/chart(?:Ex)?$/i.test(type) ? officeChart : type.endsWith('/diagramData') ? diagram : undefined
    if (!read || !archive.has(target)) continue
    const html = read(parseXml(await archive.xml(target)))
    if (html !== '') found.set(id, html)
  }
  return found
}

/** A chart (`c:chartSpace`), also of the kinds since 2016 (`cx:chartSpace`). Empty when it stores no values. */
function officeChart(chart: Element): string {
  const data = childAt(chart, 'chartData')
  const title = textOf(childAt(chart, 'chart', 'title'))
  const plot = childAt(chart, 'chart', 'plotArea')
  const axes = childrenOf(plot)
    .filter((each) => /^(?:cat|val|date|ser)Ax$|^axis$/.test(nameOf(each)))
    .map((axis) => textOf(childAt(axis, 'title')))
  return data
    ? chartHtml({ kind: newKindOf(chart), title, axes, series: newSeries(chart, data) })
    : chartHtml({ kind: kindOf(plot), title, axes, series: [...descendantsOf(chart, 'ser')].map(seriesOf) })
}

function seriesOf(series: Element): ChartSeries {
  const sizes = childAt(series, 'bubbleSize')
  return {
    name: textOf(childAt(series, 'tx')),
    categories: pointsOf(childAt(series, 'cat') ?? childAt(series, 'xVal')),
    values: [
      { name: '', points: pointsOf(childAt(series, 'val') ?? childAt(series, 'yVal')) },
      ...(sizes ? [{ name: 'size', points: pointsOf(sizes) }] : []),
    ],
  }
}

/** Waterfall, funnel, tree map, histogram, map: their data has dimensions of texts and of numbers. */
function newSeries(chart: Element, data: Element): ChartSeries[] {
  const sources = new Map(childrenOf(data, 'data').map((each) => [attribute(each, 'id'), each]))
  return [...descendantsOf(chart, 'series')].map((series) => {
    const source = sources.get(attribute(childAt(series, 'dataId'), 'val'))
    const name = textOf(childAt(series, 'tx', 'txData', 'v') ?? childAt(series, 'tx'))
    const values = childrenOf(source, 'numDim').map((each) => ({ name: '', points: pointsOf(each) }))
    return { name, categories: pointsOf(childrenOf(source, 'strDim')[0]), values }
  })
}

/** Texts of a diagram (SmartArt), in the order of its data. */
function diagram(data: Element): string {
  const texts = [...descendantsOf(data, 'pt')].map((point) => textOf(point)).filter((text) => text !== '')
  return texts.length === 0 ? '' : `<ul>${texts.map((text) => `<li>${escapeHtml(text)}</li>`).join('')}</ul>`
}

/** Values by index; the levels of a category are joined, the outer one first. */
function pointsOf(source: Element | undefined): Map<number, string> {
  if (!source) return new Map()
  const [inner = source, ...outer] = [...descendantsOf(source, 'lvl')]
  const points = ownPoints(inner)
  const levels = outer.toReversed().map(ownPoints)
  // A value of an outer level stands for all categories up to the next one.
  const above = (level: Map<number, string>, index: number) =>
    [...level].filter(([at]) => at <= index).toSorted(([one], [other]) => other - one)[0]?.[1]
  return new Map(
    [...points].map(([index, value]) => [
      index,
      [...levels.map((level) => above(level, index)), value].filter(Boolean).join(' '),
    ]),
  )
}

/** `barChart` and `lineChart` together are a bar and line chart. */
function kindOf(plot: Element | undefined): string {
  const kinds = childrenOf(plot).flatMap((each) => /^([a-z]+)(?:3D)?Chart$/.exec(nameOf(each))?.[1] ?? [])
  return chartName([...new Set(kinds)].join(' and '))
}

function newKindOf(chart: Element): string {
  const [series] = descendantsOf(chart, 'series')
  const layout = attribute(series, 'layoutId') ?? ''
  return chartName(layout.replace(/^clusteredColumn$/, 'histogram').replace('boxWhisker', 'box plot'))
}

function chartName(kind: string): string {
  return kind === '' ? 'Chart' : `${kind[0]!.toUpperCase()}${kind.slice(1)} chart`
}

function ownPoints(level: Element): Map<number, string> {
  const [cache] = [...descendantsOf(level, 'numCache'), ...descendantsOf(level, 'numLit')]
  const isNumber = cache !== undefined || nameOf(level.parentElement ?? level) === 'numDim'
  const common = childAt(cache, 'formatCode')?.textContent ?? attribute(level, 'formatCode') ?? 'General'
  const date1904 = /^(?:1|true)$/.test(attribute(childAt(rootOf(level), 'date1904'), 'val') ?? '')
  return new Map(
    [...descendantsOf(level, 'pt')].slice(0, MAX_POINTS).map((point) => {
      // `c:pt` has its value in `c:v`, `cx:pt` is it.
      const value = (childAt(point, 'v') ?? point).textContent?.trim() ?? ''
      const format = attribute(point, 'formatCode') ?? common
      return [Number(attribute(point, 'idx') ?? 0), isNumber ? shownNumber(value, format, date1904) : value]
    }),
  )
}

function rootOf(element: Element): Element {
  return element.ownerDocument.documentElement
}

function textOf(element: Element | undefined): string {
  if (!element) return ''
  const own = nameOf(element) === 'v' ? [element] : []
  const parts = [...own, ...descendantsOf(element, 't'), ...descendantsOf(element, 'v')]
  return parts
    .filter((part) => !part.firstElementChild)
    .map((part) => part.textContent ?? '')
    .join('')
    .replaceAll(/\s+/g, ' ')
    .trim()
}
