// Streams of the client in full numbers: 1,000 through faults and kills, a cut at every byte, 500 clients through a restart.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { Http } from '../../client/http.ts'
import { Turn } from '../../client/turns/turn.ts'
import { cutEach, restartUnderClients, sizesOf, streamThroughFaults } from '../support/client-trials.ts'
import { openFaultProxy } from '../support/fault-proxy.ts'
import { freePort } from '../support/free-port.ts'
import { HeldReply } from '../support/held-reply.ts'
import { openStage } from '../support/stage.ts'
import { manyWords } from '../support/words.ts'

const ROOMY = { MUXI_LIMIT_STREAMS_PER_KEY: '3000', MUXI_LIMIT_STREAMS: '5000' }

it('1,000 streams through resets, early ends, silence, 502 and kill -9 of the API: every event once, in order', async () => {
  const stage = await openStage({ env: ROOMY })
  onTestFinished(() => stage.close())
  await stage.start('worker')
  const port = await freePort()
  let api = await stage.start('api', { port })
  let isOver = false
  let kills = 0
  const killing = (async () => {
    while (!isOver) {
      await sleep(10_000)
      await api.kill()
      kills += 1
      api = await stage.start('api', { port })
    }
  })()
  const { followed, said, proxy } = await streamThroughFaults(stage, api.url, {
    streams: 1_000,
    at_once: 40,
    words: 40,
    seed: 1_000,
    share: 0.5,
    silence_ms: 2_000,
  })
  isOver = true
  await killing
  console.log(JSON.stringify({ kills, connections: proxy.connections.length, ...proxy.faults }))
  const wrong = followed.filter(
    ({ ids, printed, text, content, status, turns }) =>
      ids.some((id, index) => id !== index + 1) ||
      [printed, text, content].some((each) => each !== said) ||
      status !== 'completed' ||
      turns !== 1,
  )
  expect(wrong).toEqual([])
  expect(followed).toHaveLength(1_000)
  expect(kills).toBeGreaterThan(3)
})

it('a message whose request or answer is cut at every byte makes one turn, and the same reply', async () => {
  const stage = await openStage()
  onTestFinished(() => stage.close())
  const muxi = await stage.start('all')
  const said = 'Assam tea is malty.'
  const sizes = await sizesOf(stage, muxi.url, said)
  const cuts = (['request', 'answer'] as const).flatMap((of) =>
    Array.from({ length: sizes[of] + 1 }, (_, after) => ({ of, after })),
  )
  console.log(JSON.stringify(sizes))
  const seen = await cutEach(stage, muxi.url, said, cuts, 8)
  expect(seen.filter(({ text, turns }) => text !== said || turns !== 1)).toEqual([])
  expect(seen).toHaveLength(cuts.length)
})

it('500 clients through a restart connect at most twice a second each after the first, and all have the whole text', async () => {
  const stage = await openStage({ env: ROOMY })
  onTestFinished(() => stage.close())
  await stage.start('worker')
  const { texts, said, ...storm } = await restartUnderClients(stage, {
    clients: 500,
    turns: 20,
    words: 200,
    away_ms: 8_000,
    port: await freePort(),
    env: ROOMY,
  })
  console.log(JSON.stringify(storm))
  expect(new Set(texts)).toEqual(new Set([said]))
  expect(storm.peak).toBeLessThanOrEqual(2 * 500)
})

it('a connection on which nothing passes is noticed within 35 s', async () => {
  const stage = await openStage()
  onTestFinished(() => stage.close())
  const muxi = await stage.start('all')
  let connections = 0
  const proxy = await openFaultProxy(muxi.url, () =>
    (connections += 1) === 1 ? { fault: 'hang', after: 1_200 } : { fault: 'none' },
  )
  const held = new HeldReply(60)
  const said = manyWords('word', 200)
  const content = stage.model.script({ say: said, held })
  const http = new Http({ serverUrl: proxy.url, apiKey: stage.key })
  const conversation_id = await stage.conversation(muxi.url)
  const turn = Turn.start(http, '/agents/scripted/chat/stream', { content, conversation_id })
  const text = turn.text()
  await expect.poll(() => proxy.faults.hang, { timeout: 20_000 }).toBe(1)
  const began = performance.now()
  await expect.poll(() => proxy.connections.length, { timeout: 60_000 }).toBeGreaterThan(1)
  const noticed_s = (proxy.connections[1]! - began) / 1_000
  console.log(JSON.stringify({ noticed_s }))
  expect(noticed_s).toBeLessThan(35)
  held.release()
  expect(await text).toBe(said)
})
