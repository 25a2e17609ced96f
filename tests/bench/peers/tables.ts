// The two tables of a run in Markdown, as docs/benchmarks.md has them.
import { type Plan, turnsOf } from './plan.ts'

/** The outcome of a turn and a conversation when all processes of a peer were killed with -9 in the middle of the turn. */
export interface Survival {
  /** A later turn sends the model what was said before. */
  conversation: boolean
  /** The model is asked again after the restart, and a later turn sends the model its answer. */
  turn: boolean
  /** What a client reads that asks for the turn after the restart. */
  resumed: 'no' | 'yes' | 'words twice'
}

/** One peer in one round. */
export interface Figures {
  /** Of the peer less that of the model called directly, in milliseconds. */
  added_first_p50: number
  /** By callers at once. */
  per_second: Record<number, number>
  /** Of all processes, in milliseconds. */
  cpu_per_turn: number
  /** In MiB. */
  idle: Memory
  after: Memory
  long: { per_second: number; cpu_per_turn: number }
  errors: string[]
  long_errors: string[]
  /** Share of the machine that processes outside the benchmark used meanwhile. */
  others: number
}

export interface Memory {
  app: number
  store: number
}

export interface PeerResult {
  title: string
  rounds: Figures[]
  survival?: Survival
  /** Why there is nothing to tell. */
  failed?: string
}

export interface DirectResult {
  first_p50: number[]
  per_second: Record<number, number[]>
  long_per_second: number[]
}

export function percentile(values: readonly number[], p: number): number {
  const sorted = values.filter(Number.isFinite).toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor((p / 100) * sorted.length))] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  return percentile(values, 50)
}

export function tables(plan: Plan, direct: DirectResult, peers: readonly PeerResult[]): string {
  const loads = plan.short.loads.map(({ at_once }) => at_once)
  const survival = 'survives kill -9 / client resumes'
  const short = [
    [
      '',
      'first word + p50 ms',
      `turns/s at ${loads.join(', ')}`,
      'CPU ms a turn (all processes)',
      `resident MiB, idle → after ${turnsOf(plan)} turns`,
      'errors',
      survival,
    ],
    [
      'the model called directly',
      `(${number(median(direct.first_p50))})`,
      loads.map((at) => number(median(direct.per_second[at] ?? []))).join(', '),
      '',
      '',
      '',
      '',
    ],
    ...peers.map(({ title, rounds, failed, survival }) => {
      if (failed !== undefined) return [title, ...failedCells(failed, 6)]
      const of = (pick: (figures: Figures) => number) => median(rounds.map(pick))
      return [
        title,
        number(of((each) => each.added_first_p50)),
        loads.map((at) => number(of((each) => each.per_second[at] ?? Number.NaN))).join(', '),
        number(of((each) => each.cpu_per_turn)),
        memory(rounds),
        String(rounds.flatMap(({ errors }) => errors).length),
        survivalCell(survival),
      ]
    }),
  ]
  const long = [
    ['', 'turns/s', 'CPU ms a turn (all processes)', 'errors', survival],
    ['the model called directly', number(median(direct.long_per_second)), '', '', ''],
    ...peers.map(({ title, rounds, failed, survival }) => {
      if (failed !== undefined) return [title, ...failedCells(failed, 4)]
      return [
        title,
        number(median(rounds.map((each) => each.long.per_second))),
        number(median(rounds.map((each) => each.long.cpu_per_turn))),
        String(rounds.flatMap(({ long_errors }) => long_errors).length),
        survivalCell(survival),
      ]
    }),
  ]
  const { words, gap_ms } = plan.short.reply
  return [
    `Short replies (${words} words ${gap_ms} ms apart), ${rounds(plan.rounds)}:`,
    '',
    markdown(short),
    '',
    `Long replies (${plan.long.reply.words} words ${plan.long.reply.gap_ms} ms apart, ${plan.long.at_once} at once, ${plan.long.turns} turns), the same run:`,
    '',
    markdown(long),
  ].join('\n')
}

function survivalCell(survival: Survival | undefined): string {
  if (!survival) return 'not seen'
  const kept = [...(survival.conversation ? ['conversation'] : []), ...(survival.turn ? ['turn'] : [])]
  const resumed =
    survival.resumed === 'words twice' ? 'yes, the words of the killed attempt come twice' : survival.resumed
  return `${kept.join(' and ') || 'no'} / ${resumed}`
}

function memory(rounds: readonly Figures[]): string {
  const of = (pick: (figures: Figures) => number) => median(rounds.map(pick)).toFixed(0)
  const store = rounds.some(({ after }) => after.store > 0) ? ` (+ ${of(({ after }) => after.store)} store)` : ''
  return `${of(({ idle }) => idle.app)} → ${of(({ after }) => after.app)}${store}`
}

function failedCells(why: string, columns: number): string[] {
  return [`failed: ${why.split('\n')[0]}`, ...Array.from({ length: columns - 1 }, () => '')]
}

function markdown(rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `|${cells.map((cell) => (cell ? ` ${cell} ` : ' ')).join('|')}|`
  const [head = [], ...body] = rows
  return [line(head), `|${'---|'.repeat(head.length)}`, ...body.map(line)].join('\n')
}

function rounds(count: number): string {
  return count === 1 ? 'one round' : `median of ${count} rounds`
}

function number(value: number): string {
  return Number.isFinite(value) ? value.toFixed(value < 100 ? 1 : 0) : '–'
}
