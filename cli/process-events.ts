// Signals and rejections of the app process.
import type { Logger } from 'pino'

/** Drain timeout in milliseconds; after it the process exits with open work. */
const DRAIN_MS = 20_000

/** An unhandled rejection fails one request at most, never the process. The log has the count since the start. */
export function surviveRejections(log: Logger): void {
  let count = 0
  process.on('unhandledRejection', (reason) => {
    count += 1
    log.error({ err: reason, unhandled_rejections: count }, 'a promise was rejected and not handled')
  })
}

/** Aborts on SIGTERM, SIGINT and the end of standard input; then the process drains until its deadline. */
export function onStop(log: Logger): AbortSignal {
  const controller = new AbortController()
  const stop = (why: string) => {
    if (controller.signal.aborted) return
    log.info(`draining: ${why}`)
    controller.abort()
    setTimeout(() => process.exit(1), DRAIN_MS).unref()
  }
  process.on('SIGTERM', () => stop('SIGTERM'))
  process.on('SIGINT', () => stop('SIGINT'))
  process.stdin
    .on('end', () => stop('the supervisor has exited'))
    .on('error', () => stop('the supervisor has exited'))
    .resume()
  return controller.signal
}
