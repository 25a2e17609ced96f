// The limits that a job reports: what it left out, could not read, or had to guess.

export type NoticeCode =
  /** Nothing to read was found. */
  | 'no_text'
  /** There, but not read: it was switched off, or what reads it is missing. */
  | 'not_read'
  /** Left out on purpose: hidden text, files that are not documents, what a limit cuts. */
  | 'left_out'
  /** Read with low confidence, or by a guess. */
  | 'uncertain'
  /** Cannot be read: damaged, encrypted, of an unknown form. */
  | 'unreadable'
  /** Took the place of an earlier document. */
  | 'replaced'

export interface Notice {
  code: NoticeCode
  /** A sentence without a count and without a place, so that equal ones can be counted together. */
  message: string
  /** How often it happened. */
  count: number
  /** Where, as a user finds it: `page 3`, `Sheet Costs, C2`, `a.zip/b.txt`; at most ten. */
  places?: string[]
  /** All of it as one sentence, in the result of a job. */
  text?: string
}

const MAX_PLACES = 10
const MAX_NOTICES = 100

/** Counts equal notices together, in the order of their first. */
export function mergeNotices(notices: Iterable<Notice>): Notice[] {
  const merged = new Map<string, Notice>()
  for (const notice of notices) {
    const key = `${notice.code} ${notice.message}`
    const known = merged.get(key)
    if (!known && merged.size >= MAX_NOTICES) continue
    const places = [...new Set([...(known?.places ?? []), ...(notice.places ?? [])])].slice(0, MAX_PLACES)
    const count = (known?.count ?? 0) + notice.count
    merged.set(key, { ...notice, count, ...(places.length > 0 && { places }) })
  }
  return [...merged.values()]
}

/** A notice as one sentence: `Formulas without a stored value (2: Sheet Costs, C2 and C6)`. */
export function noticeText({ message, count, places = [] }: Notice): string {
  if (places.length === 0) return count > 1 ? `${message} (${count} times)` : message
  const more = count > places.length ? ' and others' : ''
  return `${message} (${count > 1 ? `${count}: ` : ''}${places.join('; ')}${more})`
}
