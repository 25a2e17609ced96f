// Whether a process still runs. Linux only.
import { readFileSync } from 'node:fs'

/** False for a zombie, too. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
