// Time without what a busy machine adds to it, for promises such as "within 10 s".
import { existsSync, readFileSync } from 'node:fs'

/** Of Linux: how long something has waited for a processor since the start of the machine. */
const PRESSURE = '/proc/pressure/cpu'

export class Stopwatch {
  readonly startedAt = Date.now()
  readonly #waited = waitedMs()

  /** Milliseconds from the start to a moment, which must not be long ago, without those in which something waited for a processor. */
  undisturbed(until = Date.now()): number {
    return until - this.startedAt - (waitedMs() - this.#waited)
  }
}

/** 0 where the system does not tell. */
function waitedMs(): number {
  if (!existsSync(PRESSURE)) return 0
  return Number(/^some .*total=(\d+)/m.exec(readFileSync(PRESSURE, 'utf8'))?.[1] ?? 0) / 1_000
}
