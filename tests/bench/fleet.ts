// Two workers and two API processes on Postgres against one process with everything on SQLite.
import { freshDatabase, stopSharedPostgres } from '../support/postgres.ts'
import { chat, percentile, report, throughput } from './measure.ts'
import type { Bench, Muxi } from './processes.ts'

const ROUNDS = 3
const TURNS = 200
const ASK = { words: 1, gap_ms: 0 }

export async function fleet(bench: Bench): Promise<void> {
  const running: Muxi[] = []
  try {
    const installed = await bench.install('fleet', { database_url: await freshDatabase() })
    for (const role of ['worker', 'worker', 'api', 'api'] as const) running.push(await installed.start(role))
    const apis = running.slice(2)
    const turns = (atOnce: number, at: readonly Muxi[], round: number) =>
      throughput(TURNS, atOnce, (lane) => chat(at[lane % at.length]!, `fleet-${atOnce}-${round}-${lane}`, ASK))
    await turns(8, apis, 0)
    await turns(8, [bench.muxi], 0)
    for (const atOnce of [8, 32]) {
      const one: number[] = []
      const several: number[] = []
      for (let round = 1; round <= ROUNDS; round += 1) {
        one.push(await turns(atOnce, [bench.muxi], round))
        several.push(await turns(atOnce, apis, round))
      }
      const [ours, floor] = [percentile(several, 50), percentile(one, 50)]
      report(
        `two workers and two APIs on Postgres, ${atOnce} at once`,
        `${ours.toFixed(1)} turns a second against ${floor.toFixed(1)} of one process on SQLite`,
        ours / floor,
        '≥ 1',
      )
    }
  } finally {
    for (const each of running.toReversed()) await each.stop()
    await stopSharedPostgres()
  }
}
