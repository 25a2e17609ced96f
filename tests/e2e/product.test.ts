// The product as `npm start` runs it: supervisor, Temporal server, and API and worker in one process. Everything in it is killed with -9.
import { readFileSync, readlinkSync } from 'node:fs'
import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { HeldReply } from '../support/held-reply.ts'
import { numberedPages, pdf } from '../support/pdf.ts'
import { childrenOf, openStage, type Stage } from '../support/stage.ts'
import { Stopwatch } from '../support/stopwatch.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let port: number
beforeEach(async () => {
  stage = await openStage({ withoutTemporal: true })
  port = await freePort()
})
afterEach(async () => {
  try {
    stage.model.assertUsed()
    await stage.check()
  } finally {
    await stage.close()
  }
})

/** Follows a turn across restarts of the server, as a browser's EventSource does. */
async function followPersistently(url: string, turnId: string, after: number) {
  for (;;) {
    const stream = await stage.follow(url, turnId, after).catch(() => undefined)
    if (stream) return stream
    await sleep(100)
  }
}

it(
  keeps(
    'worker-killed.supervised',
    'the client that reconnects sees the next token within 25 s of the kill, and then the whole text once',
  ),
  async () => {
    const product = await stage.startProduct({ port })
    const reply = manyWords('second', 30)
    const cue = stage.model.script(
      { say: manyWords('first', 40), held: new HeldReply() },
      { say: reply, pieces_per_second: 100 },
    )
    const stream = await stage.chat(product.url, cue)
    await stream.shows('first-9 ')
    const killed = new Stopwatch()
    process.kill(product.appPid(), 'SIGKILL')
    await stream.ended
    const again = await followPersistently(product.url, stream.events[0]!.data.turn_id, stream.lastId)
    const next = await again.waitFor(({ type, data }) => type === 'content' && data.content.includes('second-'), 60_000)
    expect(killed.undisturbed(next.at)).toBeLessThan(25_000)
    expect((await again.untilFinal()).type).toBe('message_end')
    expect([...stream.events, ...again.events].map(({ id }) => id)).toEqual(
      Array.from({ length: again.lastId }, (_, index) => index + 1),
    )
    expect((await stage.turn(product.url, stream.events[0]!.data.turn_id)).message.agent_response.content).toBe(reply)
    expect(await product.stop()).toBe(0)
    expect(stage.serverPids()).toEqual([])
  },
)

it(keeps('all-killed.mid-stream', 'the next start goes on with the turn, and the client with its events'), async () => {
  const first = await stage.startProduct({ port })
  const reply = manyWords('second', 30)
  const cue = stage.model.script(
    { say: manyWords('first', 40), held: new HeldReply() },
    { say: reply, pieces_per_second: 100 },
  )
  const stream = await stage.chat(first.url, cue)
  await stream.shows('first-9 ')
  await first.killAll()
  await stream.ended
  const second = await stage.startProduct({ port })
  const again = await followPersistently(second.url, stream.events[0]!.data.turn_id, stream.lastId)
  expect((await again.untilFinal()).type).toBe('message_end')
  const replay = await stage.follow(second.url, stream.events[0]!.data.turn_id)
  await replay.ended
  expect(stream.raw + again.raw).toBe(replay.raw)
  expect((await stage.turn(second.url, stream.events[0]!.data.turn_id)).message.agent_response.content).toBe(reply)
  await second.stop()
})

it(
  keeps('all-killed.before-first-event', 'the next start answers a message that was accepted in the last moment'),
  async () => {
    const first = await stage.startProduct({ port })
    const cue = stage.model.otherwise({ say: 'Here I am.' })
    const turns: string[] = []
    for (let n = 0; n < 5; n += 1) {
      const conversation_id = await stage.conversation(first.url)
      const { body, status } = await stage.call(first.url, '/api/v1/agents/scripted/chat', {
        body: { content: `message ${n}`, conversation_id, background: true },
      })
      expect(status).toBe(202)
      turns.push(body.turn_id)
    }
    await first.killAll()
    const second = await stage.startProduct({ port })
    for (const turnId of turns) {
      const stream = await followPersistently(second.url, turnId, 0)
      expect((await stream.untilFinal()).type).toBe('message_end')
    }
    cue()
    await second.stop()
    // The kill may come between an attempt's usage row and its request.
    await stage.check({ unsent: turns.length })
  },
)

it(keeps('start.runtime', 'the process and the parser run on the program that the supervisor runs on'), async () => {
  const product = await stage.startProduct({ port })
  const programOf = (pid: number) => readlinkSync(`/proc/${pid}/exe`)
  const program = programOf(product.pid)
  expect(basename(program)).toBe(process.env['MUXI_TEST_RUNTIME'] ?? 'node')
  expect(programOf(product.appPid())).toBe(program)
  // A parser waits a little for another question about its document, and then ends.
  const parsers = new Set<string>()
  const app = product.appPid()
  const isParser = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('parse-child.ts')
  const watching = setInterval(() => {
    try {
      for (const pid of childrenOf(app).filter(isParser)) parsers.add(programOf(pid))
    } catch {
      // One of them has just ended.
    }
  }, 50)
  onTestFinished(() => clearInterval(watching))
  const data = pdf(numberedPages(1)).toString('base64')
  const { body } = await stage.call(product.url, '/api/v1/agents/offline/chat', {
    body: { content: 'What is in it?', attachments: [{ type: 'application/pdf', name: 'one.pdf', data }] },
  })
  expect(body.agent_response.content).toContain('(one.pdf, page 1)')
  // `unshare` and `setpriv` confine the parser, and are replaced by it.
  const isRuntime = (path: string) => !['unshare', 'setpriv'].includes(basename(path))
  await expect.poll(() => [...parsers].filter(isRuntime)).toEqual([program])
  clearInterval(watching)
  await product.stop()
})
