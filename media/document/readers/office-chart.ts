// Charts and diagrams of Office documents as HTML: the stored values as a table, the texts as a list.
import { attribute, childAt, childrenOf, descendantsOf, escapeHtml, nameOf } from './xml.ts'

const MAX_ROWS = 5_000

/** A chart (`c:chartSpace`): a row for each category, a column for each series. Empty when it stores no values. */
export function chartHtml(chart: Element): string {
  const series = [...descendantsOf(chart, 'ser')].map((each) => ({
    name: textOf(childAt(each, 'tx')),
    categories: pointsOf(childAt(each, 'cat') ?? childAt(each, 'xVal')),
    values: pointsOf(childAt(each, 'val') ?? childAt(each, 'yVal')),
  }))
  const title = textOf(childAt(chart, 'chart', 'title'))
  const heading = `<p><strong>${escapeHtml(title === '' ? kindOf(chart) : `${kindOf(chart)}: ${title}`)}</strong></p>`
  const indexes = [...new Set(series.flatMap(({ categories, values }) => [...categories.keys(), ...values.keys()]))]
  if (indexes.length === 0) return title === '' ? '' : heading
  const rows = indexes
    .toSorted((one, other) => one - other)
    .slice(0, MAX_ROWS)
    .map((index) => [
      series.map(({ categories }) => categories.get(index)).find((category) => category !== undefined) ?? '',
      ...series.map(({ values }) => values.get(index) ?? ''),
    ])
  return heading + table([['', ...series.map(({ name }) => name)], ...rows])
}

/** Texts of a diagram (SmartArt), in the order of its data. */
export function diagramHtml(data: Element): string {
  const texts = [...descendantsOf(data, 'pt')].map((point) => textOf(point)).filter((text) => text !== '')
  return texts.length === 0 ? '' : `<ul>${texts.map((text) => `<li>${escapeHtml(text)}</li>`).join('')}</ul>`
}

function table(rows: readonly string[][]): string {
  const lines = rows.map((row, index) => {
    const name = index === 0 ? 'th' : 'td'
    return `<tr>${row.map((cell) => `<${name}>${escapeHtml(cell)}</${name}>`).join('')}</tr>`
  })
  return `<table>${lines.join('')}</table>`
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

/** `lineChart` is a line chart. */
function kindOf(chart: Element): string {
  const [kind] = childrenOf(childAt(chart, 'chart', 'plotArea')).flatMap(
    (each) => /^([a-z]+)(?:3D)?Chart$/.exec(nameOf(each))?.[1] ?? [],
  )
  return kind === undefined ? 'Chart' : `${kind[0]!.toUpperCase()}${kind.slice(1)} chart`
}

/** Office stores 17 digits and shows at most 15: 4.4000000000000004 is 4.4. */
function shown(value: string): string {
  return /^-?\d+\.\d{12,}$/.test(value) ? String(Number(Number(value).toPrecision(15))) : value
}

function ownPoints(level: Element): Map<number, string> {
  return new Map(
    [...descendantsOf(level, 'pt')]
      .slice(0, MAX_ROWS)
      .map((point) => [Number(attribute(point, 'idx') ?? 0), shown(childAt(point, 'v')?.textContent?.trim() ?? '')]),
  )
}

function textOf(element: Element | undefined): string {
  if (!element) return ''
  const parts = [...descendantsOf(element, 't'), ...descendantsOf(element, 'v')]
  return parts
    .filter((part) => !part.firstElementChild)
    .map((part) => part.textContent ?? '')
    .join('')
    .replaceAll(/\s+/g, ' ')
    .trim()
}
