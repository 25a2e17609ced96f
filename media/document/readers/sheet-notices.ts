// Notices about whole sheets, which have no page of their own.
import type { Notice } from '../../../contracts/notices.ts'
import type { UnnumberedPage } from './table.ts'

export function leftOutSheets(names: readonly string[]): Notice[] {
  if (names.length === 0) return []
  const places = names.slice(0, 10).map((name) => `Sheet ${name}`)
  return [{ code: 'left_out', message: 'Hidden sheets are left out', count: names.length, places }]
}

/** Adds notices to the first page. */
export function withNotices([first, ...others]: UnnumberedPage[], notices: Notice[]): UnnumberedPage[] {
  if (!first || notices.length === 0) return first ? [first, ...others] : []
  return [{ ...first, notices: [...notices, ...(first.notices ?? [])] }, ...others]
}
