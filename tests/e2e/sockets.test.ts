// Many WebSockets, slow ones, and restarts below them; the numbers of `npm run test:long` are in tests/chaos/sockets.test.ts.
import { beforeAll, expect, it } from 'vitest'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { readInBulk, restartUnder, stopReading } from '../support/socket-trials.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let muxi: Muxi
beforeAll(async () => {
  stage = await openStage()
  muxi = await stage.start('all')
  return () => stage.close()
})

it(keeps('ws.slow', 'a reader that stops reading is closed with 1013, costs little memory, and resumes'), async () => {
  const { code, grown_mb, before, after, whole } = await stopReading(stage, muxi, { megabytes: 24 })
  expect(code).toBe(1013)
  expect(grown_mb).toBeLessThan(120)
  expect(before + after === whole).toBe(true)
  expect(before.length).toBeLessThan(whole.length)
})

it(keeps('ws.bulk', 'five finished turns of 2 MB each, resumed together'), async () => {
  const { codes, texts, whole } = await readInBulk(stage, muxi, 5)
  expect(codes).toEqual([])
  expect(texts.map((text) => text === whole)).toEqual([true, true, true, true, true])
})

it(keeps('ws.restart', 'a restart under open sockets: every client resumes and has the whole text, once'), async () => {
  const { heard, text } = await restartUnder(stage, { sockets: 15, words: 40, words_per_second: 12, kill: 'SIGTERM' })
  expect(heard.map((each) => [each.final, each.text])).toEqual(heard.map(() => ['chat_end', text]))
  expect(heard.filter(({ closes }) => closes.includes(1012)).length).toBeGreaterThan(10)
  // Without resets each event came once, in order.
  for (const { ids } of heard) expect(ids).toEqual(ids.map((_, index) => index + 1))
})
