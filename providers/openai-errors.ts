// Whether an error that a server reports in its answer, with status 200, is worth another request.
import { kindOfStatus, type FailureKind } from './failure.ts'

const RETRY =
  /rate.?limit|too.?many|overload|server.?error|internal|unavailable|time.?out|timed out|busy|capacity|try again/i
const FINAL =
  /invalid|bad.?request|unauthori[sz]ed|authentication|permission|forbidden|not.?found|unsupported|context.?(length|window)|content.?(filter|policy)|insufficient.?(quota|credit|balance)|billing/i

/** A status in the code decides, else the type and code, else the words of the message. */
export function kindOfReport(error: unknown): FailureKind {
  const { code, status, type, message } = (
    typeof error === 'object' && error !== null ? error : { message: error }
  ) as Record<string, unknown>
  const told = [status, code].map(Number).find((number) => number >= 400 && number < 600)
  if (told !== undefined) return kindOfStatus(told)
  const words = [[type, code], [message]].map((all) => all.filter((word) => typeof word === 'string').join(' '))
  for (const text of words) {
    // Before the others: servers answer a spent quota as a rate limit.
    if (/insufficient.?(quota|credit|balance)/i.test(text)) return 'final'
    if (RETRY.test(text)) return 'retry'
    if (FINAL.test(text)) return 'final'
  }
  return 'unknown'
}
