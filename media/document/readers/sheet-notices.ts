// Notices about sheets, slides and formulas.
import type { Notice } from '../../../contracts/notices.ts'
import type { UnnumberedPage } from './table.ts'

export function leftOutSheets(names: readonly string[]): Notice[] {
  if (names.length === 0) return []
  const places = names.slice(0, 10).map((name) => `Sheet ${name}`)
  return [{ code: 'left_out', message: 'Hidden sheets are left out', count: names.length, places }]
}

/** @param labels as `Slide 3` */
export function leftOutSlides(labels: readonly string[]): Notice[] {
  if (labels.length === 0) return []
  return [
    { code: 'left_out', message: 'Hidden slides are left out', count: labels.length, places: labels.slice(0, 10) },
  ]
}

/** @param cells as `C2` */
export function unvaluedFormulas(sheet: string, cells: readonly string[]): Notice[] {
  if (cells.length === 0) return []
  const places = cells.slice(0, 10).map((cell) => `Sheet ${sheet}, ${cell}`)
  return [
    { code: 'not_read', message: 'Formulas without a stored value are shown as formulas', count: cells.length, places },
  ]
}

/** Adds notices to the first page. */
export function withNotices([first, ...others]: UnnumberedPage[], notices: Notice[]): UnnumberedPage[] {
  if (!first || notices.length === 0) return first ? [first, ...others] : []
  return [{ ...first, notices: [...notices, ...(first.notices ?? [])] }, ...others]
}
