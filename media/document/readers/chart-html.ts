// The stored values of a chart as HTML: its name, and a row for each category with a column for each series.
import { escapeHtml } from './xml.ts'

/** Most rows of a table. */
export const MAX_POINTS = 5_000

export interface ChartSeries {
  name: string
  /** By index. */
  categories: Map<number, string>
  /** By index: one column each. */
  values: { name: string; points: Map<number, string> }[]
}

export interface Chart {
  /** `Bar chart`. */
  kind: string
  title: string
  /** Titles of its axes. */
  axes: string[]
  series: ChartSeries[]
}

/** Empty for a chart without a title, an axis and a value. Series of other categories are tables of their own. */
export function chartHtml({ kind, title, axes, series }: Chart): string {
  const tables = [...Map.groupBy(withCategories(series), categoriesKey).values()].map(seriesTable).join('')
  const named = axes.filter((axis) => axis !== '')
  if (tables === '' && title === '' && named.length === 0) return ''
  const heading = `<p><strong>${escapeHtml(title === '' ? kind : `${kind}: ${title}`)}</strong></p>`
  return heading + (named.length > 0 ? `<p>${escapeHtml(`Axes: ${named.join('; ')}`)}</p>` : '') + tables
}

/** A series without categories has those of the first. */
function withCategories(series: readonly ChartSeries[]): ChartSeries[] {
  const first = series.find(({ categories }) => categories.size > 0)?.categories ?? new Map<number, string>()
  return series.map((each) => (each.categories.size > 0 ? each : { ...each, categories: first }))
}

/** Categories that continue those of another series are the same ones. */
function categoriesKey({ categories }: ChartSeries): string {
  return JSON.stringify([...categories].toSorted(([one], [other]) => one - other))
}

function seriesTable(series: readonly ChartSeries[]): string {
  const columns = series.flatMap(({ name, values }) =>
    values.map((each) => ({ name: [name, each.name].filter(Boolean).join(' '), points: each.points })),
  )
  const categories = series[0]?.categories ?? new Map<number, string>()
  const indexes = [...new Set([...categories.keys(), ...columns.flatMap(({ points }) => [...points.keys()])])]
  if (indexes.length === 0) return ''
  const rows = indexes
    .toSorted((one, other) => one - other)
    .slice(0, MAX_POINTS)
    .map((index) => [categories.get(index) ?? '', ...columns.map(({ points }) => points.get(index) ?? '')])
  const lines = [['', ...columns.map(({ name }) => name)], ...rows].map((row, index) => {
    const tag = index === 0 ? 'th' : 'td'
    return `<tr>${row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`
  })
  return `<table>${lines.join('')}</table>`
}
