// Gives memory back after a burst: V8 keeps what a burst has left behind until the heap grows again, which on a quiet server is never.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** How often it is looked whether the process is quiet, in milliseconds. */
const LOOK_MS = 10_000
/** Share of a core below which it is. */
const QUIET = 0.1
/** The heap is collected when it has grown by this since it was collected last: as a factor, and in bytes. */
const GROWTH = 1.2
const GROWTH_BYTES = 16 * 2 ** 20

/** Open streams from which on their readers come first: a collection stops them all. */
const MANY_READERS = 50

export interface IdleCollectionOptions {
  signal: AbortSignal
  /** Streams that are open now. */
  readers?: () => number
  /** In place of `LOOK_MS`, for tests; in milliseconds. */
  lookMs?: number
}

/** Collects the garbage of this thread while the process is quiet, until the signal aborts. Does nothing where the runtime cannot. */
export function collectWhenIdle({ signal, readers = () => 0, lookMs = LOOK_MS }: IdleCollectionOptions): void {
  const collect = findCollector()
  if (!collect || signal.aborted) return
  let floor = 0
  let before = process.cpuUsage()
  let lookedAt = performance.now()
  const timer = setInterval(() => {
    const used = process.cpuUsage(before)
    const share = (used.user + used.system) / 1_000 / (performance.now() - lookedAt)
    const isQuiet = share < QUIET && readers() < MANY_READERS
    if (isQuiet && process.memoryUsage().heapTotal > floor * GROWTH + GROWTH_BYTES) {
      collect()
      floor = process.memoryUsage().heapTotal
    }
    before = process.cpuUsage()
    lookedAt = performance.now()
  }, lookMs).unref()
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
}

/** V8's own function, which it gives to contexts that are made while the flag is set. */
function findCollector(): (() => void) | undefined {
  try {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as (options: object) => void
    setFlagsFromString('--no-expose-gc')
    // Compacts and frees pages at once; 100 to 200 ms for a heap of 100 MiB.
    return () => collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  } catch {
    return undefined
  }
}
