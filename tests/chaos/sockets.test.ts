// Sockets in full numbers: 200 under restarts, 1,000 idle ones, 1,000 readers of 20 turns, and one that stops reading.
import { expect, it, onTestFinished } from 'vitest'
import { MALLOC } from '../../cli/app-process.ts'
import { idleSockets, manyReaders, restartUnder, stopReading } from '../support/socket-trials.ts'
import { openStage } from '../support/stage.ts'

const ROOMY = { MUXI_LIMIT_STREAMS_PER_KEY: '3000', MUXI_LIMIT_STREAMS: '5000' }

async function open() {
  const stage = await openStage({ env: ROOMY })
  onTestFinished(() => stage.close())
  return stage
}

for (const kill of ['SIGTERM', 'SIGKILL'] as const)
  it(`${kill} of the server under 200 open sockets with running turns: all have the whole text, once`, async () => {
    const stage = await open()
    await stage.start('worker')
    const { heard, text } = await restartUnder(stage, { sockets: 200, words: 60, words_per_second: 5, kill })
    expect(heard.map((each) => [each.final, each.text])).toEqual(heard.map(() => ['chat_end', text]))
    for (const { ids } of heard) expect(ids).toEqual(ids.map((_, index) => index + 1))
    const cut = heard.filter(({ closes }) => closes.includes(kill === 'SIGTERM' ? 1012 : 1006))
    console.log(`${cut.length} of ${heard.length} sockets were cut`)
    expect(cut.length).toBeGreaterThan(150)
  })

it('1,000 idle sockets need at most 60 MB', async () => {
  const stage = await open()
  // As the supervisor starts it.
  const env = { ...MALLOC, NODE_OPTIONS: '--max-semi-space-size=8' }
  const muxi = await stage.start('api', { env, runtime: 'node' })
  const { grown_mb } = await idleSockets(stage, muxi, 1_000)
  console.log(`1,000 idle sockets: ${grown_mb.toFixed(1)} MB`)
  expect(grown_mb).toBeLessThan(60)
})

it('500 readers over SSE and 500 over WebSocket of 20 turns lose nothing, and the server answers', async () => {
  const stage = await open()
  const muxi = await stage.start('all')
  const seen = await manyReaders(stage, muxi, { readers: 500, turns: 20 })
  console.log(JSON.stringify({ ...seen, texts: undefined }))
  expect(seen.lost).toBe(0)
})

it('a reader that stops reading 100 MB is closed with 1013, costs little memory, and resumes', async () => {
  const stage = await open()
  const muxi = await stage.start('all')
  const { code, grown_mb, before, after, whole } = await stopReading(stage, muxi, { megabytes: 100 })
  expect([code, before + after === whole]).toEqual([1013, true])
  expect(grown_mb).toBeLessThan(150)
})
