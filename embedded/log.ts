// The log of an embedded muxi.
import { type Logger, pino } from 'pino'
import { LineWriter } from '../cli/line-writer.ts'
import type { Settings } from '../config/settings.ts'
import type { EmbeddedOptions } from './options.ts'

/** @param output gets its lines; default: standard error */
export function openLog({ log_level }: Settings, output: EmbeddedOptions['output']): Logger {
  const notice = (dropped: number) =>
    JSON.stringify({ level: 50, time: Date.now(), dropped, msg: 'log lines could not be written and are lost' })
  const base = { role: 'embedded' }
  return pino({ level: log_level, base }, output ? { write: output } : new LineWriter(2, { notice }))
}
