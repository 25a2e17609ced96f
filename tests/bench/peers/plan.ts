// What a run measures, from the command line.
import { parseArgs } from 'node:util'
import type { Reply } from './turn.ts'

export interface Plan {
  /** Names of peers, in the order of the tables. */
  peers: string[]
  /** Each figure is the median of so many rounds, in which the peers take turns. */
  rounds: number
  warm_up: number
  /** Turns one by one, each beside one of the model called directly. */
  pairs: number
  short: { reply: Reply; loads: { at_once: number; turns: number }[] }
  long: { reply: Reply; at_once: number; turns: number }
  /** File for all figures of all rounds. */
  json?: string
}

const FULL = {
  rounds: 3,
  warm_up: 20,
  pairs: 40,
  short: {
    reply: { words: 20, gap_ms: 5 },
    loads: [
      { at_once: 1, turns: 16 },
      { at_once: 8, turns: 104 },
      { at_once: 32, turns: 480 },
    ],
  },
  long: { reply: { words: 300, gap_ms: 20 }, at_once: 64, turns: 256 },
}
/** Shows that everything works; its figures mean nothing. */
const QUICK = {
  rounds: 1,
  warm_up: 2,
  pairs: 3,
  short: {
    reply: FULL.short.reply,
    loads: [
      { at_once: 1, turns: 2 },
      { at_once: 8, turns: 8 },
      { at_once: 32, turns: 32 },
    ],
  },
  long: { reply: { words: 60, gap_ms: 20 }, at_once: 64, turns: 64 },
}

export const HELP = `npm run bench:peers -- [options]
  --only <names>    a comma list of peers
  --rounds <count>  each figure is the median of so many; 3 when left out
  --quick           a few turns of each, to see that everything works
  --json <file>     writes all figures of all rounds there`

/** @throws when an option is unknown or wrong */
export function readPlan(args: string[], known: readonly string[]): Plan {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean' },
      json: { type: 'string' },
    },
  })
  const wanted = values.only?.split(',') ?? known
  const unknown = wanted.find((name) => !known.includes(name))
  if (unknown !== undefined) {
    throw new Error(`Cannot measure the peers: '--only' must be a comma list of ${known.join(', ')}, got '${unknown}'`)
  }
  const base = values.quick ? QUICK : FULL
  const rounds = values.rounds === undefined ? base.rounds : Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new Error(`Cannot measure the peers: '--rounds' must be a whole number from 1 on, got '${values.rounds}'`)
  }
  return {
    ...base,
    peers: known.filter((name) => wanted.includes(name)),
    rounds,
    ...(values.json !== undefined && { json: values.json }),
  }
}

/** Of the short replies of one round. */
export function turnsOf({ warm_up, pairs, short }: Plan): number {
  return short.loads.reduce((sum, { turns }) => sum + turns, warm_up + pairs)
}
