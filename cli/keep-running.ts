// Restarts something whenever it ends, with exponential backoff, and logs one line each time.
import { setTimeout as sleep } from 'node:timers/promises'

export interface Running {
  /** Resolves when it serves, where that is later than its start; rejects when it ends before. */
  ready?: Promise<unknown>
  /** Resolves when it has ended, with a description of its end. */
  ended: Promise<string>
}

const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 30_000
/** Serving for this long resets the backoff, in milliseconds. */
const STEADY_MS = 5_000

export interface KeepRunningOptions {
  /** Its name in log lines, such as "the Temporal server". */
  name: string
  first: Running
  start: () => Promise<Running>
  say: (line: string) => void
  signal: AbortSignal
  firstPauseMs?: number
  steadyMs?: number
}

/** Returns when `signal` is aborted; never gives up before. */
export async function keepRunning(options: KeepRunningOptions): Promise<void> {
  const { name, first, start, say, signal, firstPauseMs = FIRST_PAUSE_MS, steadyMs = STEADY_MS } = options
  const aborted = new Promise<undefined>((resolve) => signal.addEventListener('abort', () => resolve(undefined)))
  let running: Running | undefined = first
  let pause = firstPauseMs
  let why = ''
  while (!signal.aborted) {
    if (running) {
      let servedSince = running.ready ? Infinity : performance.now()
      running.ready?.then(
        () => (servedSince = performance.now()),
        () => {},
      )
      why = (await Promise.race([running.ended, aborted])) ?? ''
      if (performance.now() - servedSince >= steadyMs) pause = firstPauseMs
    }
    if (signal.aborted) return
    say(`${name} ended (${why}); starting it again in ${pause / 1000} s`)
    await sleep(pause, undefined, { signal }).catch(() => {})
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
    if (signal.aborted) return
    running = await start().catch((error: unknown) => {
      why = error instanceof Error ? error.message : String(error)
      return undefined
    })
  }
}
