// Sockets in full numbers: 200 under restarts, 1,000 idle ones, 1,000 readers of 20 turns, and one that stops reading.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { MALLOC } from '../../cli/app-process.ts'
import { freePort } from '../support/free-port.ts'
import { idleSockets, manyReaders, restartUnder, stopReading } from '../support/socket-trials.ts'
import { openStage } from '../support/stage.ts'

const ROOMY = { MUXI_LIMIT_STREAMS_PER_KEY: '3000', MUXI_LIMIT_STREAMS: '5000' }

/** The whole product: the supervisor gives its app flags of V8 and of the allocator. */
async function openProduct() {
  const stage = await openStage({ env: ROOMY, withoutTemporal: true })
  onTestFinished(() => stage.close())
  const product = await stage.startProduct({ port: await freePort() })
  return { stage, muxi: { ...product, pid: product.appPid() } }
}

for (const kill of ['SIGTERM', 'SIGKILL'] as const)
  it(`${kill} of the server under 200 open sockets with running turns: all have the whole text, once`, async () => {
    const stage = await openStage({ env: ROOMY })
    onTestFinished(() => stage.close())
    await stage.start('worker')
    const { heard, text } = await restartUnder(stage, { sockets: 200, words: 60, words_per_second: 5, kill })
    expect(heard.map((each) => [each.final, each.text])).toEqual(heard.map(() => ['chat_end', text]))
    for (const { ids } of heard) expect(ids).toEqual(ids.map((_, index) => index + 1))
    const cut = heard.filter(({ closes }) => closes.includes(kill === 'SIGTERM' ? 1012 : 1006))
    console.log(`${cut.length} of ${heard.length} sockets were cut`)
    expect(cut.length).toBeGreaterThan(150)
  })

it('1,000 idle sockets need at most 60 MB', async () => {
  const { stage, muxi } = await openProduct()
  const { grown_mb } = await idleSockets(stage, muxi, 1_000)
  console.log(`1,000 idle sockets: ${grown_mb.toFixed(1)} MB`)
  expect(grown_mb).toBeLessThan(60)
})

it('500 readers over SSE and 500 over WebSocket of 20 turns lose nothing, and the server answers', async () => {
  const stage = await openStage({ env: ROOMY })
  onTestFinished(() => stage.close())
  const loopFile = join(stage.folder, 'loop')
  writeFileSync(loopFile, '')
  const muxi = await stage.start('all', { runtime: 'node', env: { ...MALLOC, MUXI_TEST_LOOP_FILE: loopFile } })
  const seen = await manyReaders(stage, muxi, { readers: 500, turns: 20, loopFile })
  console.log(JSON.stringify(seen))
  expect(seen.lost).toBe(0)
  expect(seen.p99_ms).toBeLessThan(300)
  expect(seen.block_ms).toBeLessThan(100)
  // A busy machine delays both servers.
  expect(seen.added_ms).toBeLessThan(100)
})

it('a reader that stops reading 100 MB is closed with 1013, costs little memory, and resumes', async () => {
  const { stage, muxi } = await openProduct()
  const { code, grown_mb, before, after, whole } = await stopReading(stage, muxi, { megabytes: 100 })
  expect([code, before + after === whole]).toEqual([1013, true])
  console.log(`a reader that stops reading: ${grown_mb.toFixed(1)} MB`)
  expect(grown_mb).toBeLessThan(150)
})
