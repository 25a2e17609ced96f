// Two workers and two API processes on Postgres against one process with everything on SQLite.
import { startPostgres } from '../support/postgres.ts'
import { measureCost } from './cost.ts'
import { chat, percentile, report, throughput } from './measure.ts'
import type { Bench, Muxi } from './processes.ts'

const ROUNDS = 3
const TURNS = 200
const ASK = { words: 1, gap_ms: 0 }

export async function fleet(bench: Bench): Promise<void> {
  const running: Muxi[] = []
  const postgres = await startPostgres()
  try {
    const installed = await bench.install('fleet', { database_url: await postgres.createDatabase() })
    for (const role of ['worker', 'worker', 'api', 'api'] as const) running.push(await installed.start(role))
    const pidsOf = (from: number) => running.slice(from, from + 2).map(({ pid }) => pid)
    const apis = running.slice(2)
    const groups = {
      Temporal: [bench.temporal_pid],
      workers: pidsOf(0),
      APIs: pidsOf(2),
      Postgres: [postgres.pid()],
    }
    const turns = (atOnce: number, at: readonly Muxi[], round: number) =>
      throughput(TURNS, atOnce, (lane) => chat(at[lane % at.length]!, `fleet-${atOnce}-${round}-${lane}`, ASK))
    await turns(8, apis, 0)
    await turns(8, [bench.muxi], 0)
    for (const atOnce of [8, 32]) {
      const one: number[] = []
      const several: number[] = []
      const costs: string[] = []
      for (let round = 1; round <= ROUNDS; round += 1) {
        const costOfOne = measureCost({ Temporal: [bench.temporal_pid], muxi: [bench.muxi.pid] })
        one.push(await turns(atOnce, [bench.muxi], round))
        const ofOne = costOfOne(TURNS)
        const costOfSeveral = measureCost(groups)
        several.push(await turns(atOnce, apis, round))
        costs.push(`${costOfSeveral(TURNS)} against ${ofOne}`)
      }
      const [ours, floor] = [percentile(several, 50), percentile(one, 50)]
      report(
        `two workers and two APIs on Postgres, ${atOnce} at once`,
        `${ours.toFixed(1)} turns a second against ${floor.toFixed(1)} of one process on SQLite`,
        ours / floor,
        '≥ 0.85',
      )
      for (const cost of costs) report('', cost)
    }
  } finally {
    for (const each of running.toReversed()) await each.stop()
    await postgres.stop()
  }
}
