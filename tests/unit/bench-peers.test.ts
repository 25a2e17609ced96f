// What the peer benchmark reads from its command line, and what it prints; the measuring itself needs all peers.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { PEERS } from '../bench/peers/peers.ts'
import { readPlan } from '../bench/peers/plan.ts'
import { type Figures, tables } from '../bench/peers/tables.ts'
import { ROOT } from '../support/children.ts'

const KNOWN = ['muxi', 'dbos', 'ai']
const plan = readPlan(['--quick'], KNOWN)

const figures = (more: Partial<Figures> = {}): Figures => ({
  added_first_p50: 12.34,
  per_second: { 1: 8, 8: 40, 32: 120.4 },
  cpu_per_turn: 20,
  idle: { app: 80, store: 60 },
  after: { app: 120, store: 70 },
  long: { per_second: 9.5, cpu_per_turn: 112 },
  errors: [],
  long_errors: [],
  others: 0,
  ...more,
})
const direct = { first_p50: [1], per_second: { 1: [9.8], 8: [78], 32: [312] }, long_per_second: [10.4] }
const print = (peer: Parameters<typeof tables>[2][number]) => tables(plan, direct, [peer]).split('\n')

describe('the plan of a peer benchmark', () => {
  test('measures every peer when none is named, in the order of the tables', () => {
    expect(readPlan([], KNOWN).peers).toEqual(KNOWN)
    expect(readPlan(['--only', 'ai,muxi'], KNOWN).peers).toEqual(['muxi', 'ai'])
  })

  test('refuses unknown peers, options and counts', () => {
    expect(() => readPlan(['--only', 'muxi,rival'], KNOWN)).toThrow(
      "'--only' must be a comma list of muxi, dbos, ai, got 'rival'",
    )
    expect(() => readPlan(['--rounds', '0'], KNOWN)).toThrow("'--rounds' must be a whole number from 1 on, got '0'")
    expect(() => readPlan(['--fast'], KNOWN)).toThrow('--fast')
  })
})

describe('the tables of a peer benchmark', () => {
  test('show the median of the rounds, all errors, and what survived', () => {
    const rounds = [
      figures({ added_first_p50: 50, errors: ['timed out'] }),
      figures({ added_first_p50: 10, long_errors: ['timed out', 'timed out'] }),
      figures({ added_first_p50: 20 }),
    ]
    const survival = { conversation: true, turn: false, resumed: 'no' } as const
    const rows = print({ title: 'A peer', rounds, survival }).filter((line) => line.startsWith('| A peer'))
    expect(rows).toEqual([
      '| A peer | 20.0 | 8.0, 40.0, 120 | 20.0 | 80 → 120 (+ 70 store) | 1 | conversation / no |',
      '| A peer | 9.5 | 112 | 2 | conversation / no |',
    ])
  })

  test('keep a peer that could not be measured, with the reason', () => {
    const rows = print({ title: 'A peer', rounds: [], failed: 'did not answer:\nlog' })
    expect(rows.filter((line) => line.includes('failed: did not answer'))).toHaveLength(2)
  })

  test('have as many cells in each row as in the head', () => {
    const lines = print({ title: 'A peer', rounds: [figures()] })
    const widths = lines.map((line) => (line.startsWith('|') ? line.split('|').length : 0))
    const [short, long] = [widths.slice(2, 6), widths.slice(-4)]
    for (const table of [short, long]) expect(new Set(table).size).toBe(1)
  })
})

describe('the packages of the peers', () => {
  const folders = new Set(PEERS.flatMap(({ packages }) => packages ?? []))
  test.each([...folders])('%s pins exact versions', (folder) => {
    const file = `${ROOT}tests/bench/peers/servers/${folder}/package.json`
    const { dependencies } = JSON.parse(readFileSync(file, 'utf8')) as { dependencies: Record<string, string> }
    expect(Object.keys(dependencies)).not.toHaveLength(0)
    for (const version of Object.values(dependencies)) expect(version).toMatch(/^\d+\.\d+\.\d+$/)
  })
})
