// A minute of chats and ingestions while Postgres is killed every 5 to 10 s and comes back each time.
import { expect, it, onTestFinished } from 'vitest'
import { Cast } from '../support/cast.ts'
import { strikeAll, strikesOf } from '../support/nemesis.ts'
import { numberedPages } from '../support/pdf.ts'
import { chatUntil, ingestUntil, nothingSeen, untilAllIsOver } from '../support/people.ts'
import { openStage } from '../support/stage.ts'
import { manyWords } from '../support/words.ts'

const SPAN_MS = 60_000
const SEED = Number(process.env['MUXI_TEST_SEED'] ?? Date.now() % 2 ** 31)
const CHATS = 20

it('nothing accepted is lost, and nothing told or indexed twice, while Postgres is killed every 5 to 10 s', async () => {
  const strikes = strikesOf(SEED, SPAN_MS, [{ victim: 'postgres', weight: 1 }], { pause_ms: [5_000, 10_000], stops: 0 })
  console.log(`MUXI_TEST_SEED=${SEED}, ${strikes.length} kills`)
  const stage = await openStage({ database: 'postgres', env: { MUXI_ENGINE_SWEEP_MS: '5000' } })
  onTestFinished(() => stage.close())
  const cast = await Cast.start(stage, { apis: 2, workers: 2 })
  onTestFinished(() => cast.leave())
  stage.model.otherwise({ say: manyWords('word', 60), pieces_per_second: 30 })

  const seen = nothingSeen()
  const end = Date.now() + SPAN_MS
  const chats = Array.from({ length: CHATS }, (_, n) => chatUntil(stage, cast.urls, `person-${n}`, end, seen))
  const books = ['north', 'south'].map((book) =>
    ingestUntil(stage, cast.urls, book, (n) => volume(`${book} ${n}`), end, seen),
  )
  await Promise.all([strikeAll(cast, strikes), ...chats, ...books])
  console.log(`ended: ${JSON.stringify(seen.outcomes)}; refused: ${JSON.stringify(seen.refusals)}`)

  await untilAllIsOver(stage)
  expect(seen.faults).toEqual([])
  // Only Postgres was killed: it comes back, and all processes continue.
  expect(cast.lost).toEqual([])
  expect(Object.keys(seen.outcomes).toSorted()).toEqual(['job completed', 'message_end'])
  expect(seen.refusals['503'] ?? 0).toBeGreaterThan(0)
  await stage.check({ unsent: strikes.length * CHATS })
})

function volume(name: string) {
  return numberedPages(100).map((page) => ({ ...page, heading: `Volume ${name}, ${page.heading}` }))
}
