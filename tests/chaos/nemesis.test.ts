// Minutes of chats and ingestions while random processes are killed or suspended every few seconds, by a seed, on both databases.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { Cast } from '../support/cast.ts'
import { type Strike, strikeAll, strikesOf } from '../support/nemesis.ts'
import { numberedPages } from '../support/pdf.ts'
import { chatUntil, ingestUntil, nothingSeen, untilAllIsOver } from '../support/people.ts'
import { type DatabaseName, openStage, type Stage } from '../support/stage.ts'
import { manyWords } from '../support/words.ts'

const MINUTES = Number(process.env['MUXI_TEST_CHAOS_MINUTES'] ?? 5)
const SEED = Number(process.env['MUXI_TEST_SEED'] ?? Date.now() % 2 ** 31)
/** Restricts the run to one database. */
const DATABASE = process.env['MUXI_TEST_DATABASE']
const CHATS = 20
const INGESTIONS = 2
const PAGES = 200
const ENV = { MUXI_ENGINE_SWEEP_MS: '5000' }

for (const database of ['sqlite', 'postgres'] satisfies DatabaseName[]) {
  it.runIf(DATABASE === undefined || DATABASE === database)(
    `on ${database} every message is answered once and every document is found once, whatever is killed or stopped meanwhile`,
    async () => {
      const victims = [
        { victim: 'api 1', weight: 2 },
        { victim: 'worker 1', weight: 3 },
        { victim: 'all 1', weight: 3 },
        { victim: 'temporal', weight: 2 },
        ...(database === 'postgres' ? [{ victim: 'postgres', weight: 2 }] : []),
      ]
      const strikes = strikesOf(SEED, MINUTES * 60_000, victims)
      console.log(`${database}: MUXI_TEST_SEED=${SEED}, ${MINUTES} minutes, ${strikes.length} strikes`)
      const stage = await openStage({ database, env: ENV })
      onTestFinished(() => stage.close())
      // Two APIs and two workers, one of each in one process, for head starts.
      const cast = await Cast.start(stage, { apis: 1, workers: 1, alls: 1 })
      onTestFinished(() => cast.leave())
      stage.model.otherwise({ say: manyWords('word', 60), pieces_per_second: 30 })

      const seen = nothingSeen()
      const end = Date.now() + MINUTES * 60_000
      const parsed = watchParsed(stage)
      const people = Promise.all([
        ...numbers(CHATS).map((n) => chatUntil(stage, cast.urls, `person-${n}`, end, seen)),
        ...numbers(INGESTIONS).map((n) =>
          ingestUntil(stage, cast.urls, `book-${n}`, (m) => volume(`${n}.${m}`), end, seen),
        ),
      ])
      await Promise.all([strikeAll(cast, strikes), people])
      console.log(
        `${database}: ${tell(strikes)}; ended: ${JSON.stringify(seen.outcomes)}; refused: ${JSON.stringify(seen.refusals)}`,
      )

      await untilAllIsOver(stage)
      const rows = await stage.rows(
        `select 'turn' as kind, status, count(*) as n from turns group by status
         union all select 'job' as kind, status, count(*) as n from jobs group by status order by 1, 2`,
      )
      const failures = await stage.rows(
        `select error, count(*) as n from turns where status = 'failed' group by error order by 2 desc limit 5`,
      )
      for (const { error, n } of failures) console.log(`${database}: ${n} × ${error}`)
      console.log(`${database}: ${rows.map(({ kind, status, n }) => `${n} ${kind}s ${status}`).join(', ')}`)
      expect(seen.faults).toEqual([])
      expect(cast.lost).toEqual([])
      expect(Object.keys(seen.outcomes).toSorted()).toEqual(['job completed', 'message_end'])
      expect(seen.outcomes['message_end'] ?? 0).toBeGreaterThan(MINUTES * CHATS)
      await stage.check({ unsent: strikes.length * CHATS })
      expect(await parsed.again()).toEqual([])
    },
  )
}

/** Records the number of parse attempts of each batch when it is first seen as finished. */
function watchParsed(stage: Stage): { again: () => Promise<string[]> } {
  const finished = new Map<string, unknown>()
  const over = new AbortController()
  onTestFinished(() => over.abort())
  const look = () =>
    stage.rows('select job_id, batch, parses from job_batches where pages is not null order by job_id, batch')
  const watching = (async () => {
    while (!over.signal.aborted) {
      for (const { job_id, batch, parses } of await look().catch(() => [])) {
        const name = `${job_id} ${batch}`
        if (!finished.has(name)) finished.set(name, parses)
      }
      await sleep(300, undefined, { signal: over.signal }).catch(() => undefined)
    }
  })()
  return {
    async again() {
      over.abort()
      await watching
      const now = await look()
      return now
        .map(({ job_id, batch, parses }) => ({ name: `${job_id} ${batch}`, parses }))
        .filter(({ name, parses }) => finished.has(name) && finished.get(name) !== parses)
        .map(
          ({ name, parses }) =>
            `batch ${name} was parsed ${parses} times, ${String(finished.get(name))} when it was done`,
        )
    },
  }
}

function volume(name: string) {
  return numberedPages(PAGES).map((page) => ({ ...page, heading: `Volume ${name}, ${page.heading}` }))
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1)
}

function tell(strikes: Strike[]): string {
  const counts = new Map<string, number>()
  for (const { how, victim } of strikes) counts.set(`${how} ${victim}`, (counts.get(`${how} ${victim}`) ?? 0) + 1)
  return [...counts]
    .map(([what, times]) => `${times} × ${what}`)
    .toSorted()
    .join(', ')
}
