// Temporal's native runtime, of which a process has one, with muxi's log.
import { DefaultLogger, Runtime } from '@temporalio/worker'
import { IllegalStateError } from '@temporalio/common'
import type { Logger } from 'pino'
import type { Settings } from '../config/settings.ts'

/**
 * Installs the runtime. A process that has one already, of the program that muxi is embedded in or of another muxi, keeps it with
 * its log; the runtime ends with its last connection and worker. @param options.forward its native part logs there too, not to the console
 */
export function installRuntime(
  { log_level }: Pick<Settings, 'log_level'>,
  log: Logger,
  { forward = false }: { forward?: boolean } = {},
): void {
  const level = log_level === 'fatal' || log_level === 'silent' ? 'ERROR' : 'WARN'
  try {
    Runtime.install({
      // muxi handles the signals, with one deadline for everything.
      shutdownSignals: [],
      ...(forward && { telemetryOptions: { logging: { filter: { core: level, other: 'ERROR' }, forward: {} } } }),
      logger: new DefaultLogger(level, ({ level: severity, message, meta }) => {
        // Workers for media and MCP servers have activities only, on purpose.
        if (message.startsWith('No workflows registered')) return
        log[severity === 'ERROR' ? 'error' : 'warn']({ ...meta, workflowInfo: undefined }, message)
      }),
    })
  } catch (error) {
    if (!(error instanceof IllegalStateError)) throw error
  }
}
