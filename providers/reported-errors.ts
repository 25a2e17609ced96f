// Whether an error that a server reports in its answer, with status 200, is worth another request.
import { kindOfStatus, type FailureKind } from './failure.ts'

const RETRY = /rate.?limit|too.?many|overload|server.?error|internal|unavailable|time.?out|busy|capacity/i
const FINAL =
  /invalid|bad.?request|unauthori[sz]ed|authentication|permission|forbidden|not.?found|unsupported|context.?(length|window)|content.?(filter|policy)|insufficient.?(quota|credit|balance)|billing/i

/** A status in the code decides, else the type and code. The text of a message decides nothing. */
export function kindOfReport(error: unknown): FailureKind {
  const { code, status, type } = (typeof error === 'object' && error !== null ? error : {}) as Record<string, unknown>
  const reported = [status, code].map(Number).find((number) => number >= 400 && number < 600)
  if (reported !== undefined) return kindOfStatus(reported)
  const names = [type, code].filter((name) => typeof name === 'string').join(' ')
  // Before the others: servers answer a spent quota as a rate limit.
  if (/insufficient.?(quota|credit|balance)/i.test(names)) return 'final'
  if (RETRY.test(names)) return 'retry'
  return FINAL.test(names) ? 'final' : 'unknown'
}
