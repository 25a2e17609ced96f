// Watches how long a process's event loop is blocked, by the time that its thread computes: a busy machine does not count.
import { appendFileSync, readFileSync } from 'node:fs'

/** How often the loop is to come round, in milliseconds. */
const ROUND_MS = 2
/** Shorter blocks are not noted. */
const NOTED_MS = 5

/** Logs event loop delays to a file, one line each, in milliseconds. Runs in the watched process. */
export function watchLoop(file: string): void {
  let before = used()
  setInterval(() => {
    const after = used()
    if (after - before >= NOTED_MS) appendFileSync(file, `${(after - before).toFixed(1)}\n`)
    before = used()
  }, ROUND_MS).unref()
}

function used(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

/** How many blocks have been noted. */
export function notedBlocks(file: string): number[] {
  return readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number)
}
