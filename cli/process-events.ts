// Signals, rejections and the runtime of the app process.
import { DefaultLogger, Runtime } from '@temporalio/worker'
import type { Logger } from 'pino'
import type { Settings } from '../config/settings.ts'

/** Drain timeout in milliseconds; after it the process exits with open work. */
const DRAIN_MS = 20_000

/** Installs Temporal's runtime with muxi's log. */
export function installRuntime(settings: Settings, log: Logger): void {
  const level = settings.log_level === 'fatal' || settings.log_level === 'silent' ? 'ERROR' : 'WARN'
  Runtime.install({
    // muxi handles the signals, with one deadline for everything.
    shutdownSignals: [],
    logger: new DefaultLogger(level, ({ level: severity, message, meta }) => {
      // Workers for media and MCP servers have activities only, on purpose.
      if (message.startsWith('No workflows registered')) return
      log[severity === 'ERROR' ? 'error' : 'warn']({ ...meta, workflowInfo: undefined }, message)
    }),
  })
}

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
