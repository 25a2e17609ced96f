// A schedule of faults, determined by a seed, so that a failed run can be replayed.
import { setTimeout as sleep } from 'node:timers/promises'

export interface Strike {
  /** Milliseconds after the beginning. */
  at_ms: number
  victim: string
  /** `kill` is kill -9; `stop` is SIGSTOP, after which it goes on as if nothing had been. */
  how: 'kill' | 'stop'
  /** How long it is away before it is started again, or goes on. */
  away_ms: number
}

export interface Chance {
  victim: string
  /** Against the weights of the others. */
  weight: number
}

const PAUSE_MS = [3_000, 8_000] as const
const KILLED_MS = [0, 5_000] as const
/** Short of what a heartbeat allows, and far beyond. */
const STOPPED_MS = [1_000, 12_000] as const

/** Every strike within a span of time. @param rhythm how long it is between two of them, and how many in ten only stop */
export function strikesOf(
  seed: number,
  span_ms: number,
  chances: readonly Chance[],
  { pause_ms, stops }: { pause_ms: readonly [number, number]; stops: number } = { pause_ms: PAUSE_MS, stops: 3 },
): Strike[] {
  const random = randomFrom(seed)
  const between = ([from, to]: readonly [number, number]) => Math.round(from + random() * (to - from))
  const all = chances.reduce((sum, { weight }) => sum + weight, 0)
  const strikes: Strike[] = []
  for (let at_ms = between(pause_ms); at_ms < span_ms; at_ms += between(pause_ms)) {
    let ticket = random() * all
    const chance = chances.find(({ weight }) => (ticket -= weight) < 0) ?? chances.at(-1)!
    const how = random() < 1 - stops / 10 ? 'kill' : 'stop'
    strikes.push({ at_ms, victim: chance.victim, how, away_ms: between(how === 'kill' ? KILLED_MS : STOPPED_MS) })
  }
  return strikes
}

/** Injects each fault at its time. Resolves when every process has recovered. */
export async function strikeAll(cast: { strike: (strike: Strike) => Promise<void> }, strikes: Strike[]): Promise<void> {
  const begun = Date.now()
  const over: Promise<void>[] = []
  for (const strike of strikes) {
    await sleep(Math.max(0, begun + strike.at_ms - Date.now()))
    over.push(cast.strike(strike))
  }
  await Promise.all(over)
}

/** Numbers in 0 to 1, the same for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
