// Agents with MCP servers: an API and workers over one data folder, real servers, and everything that can be killed is killed.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeAll, expect, it } from 'vitest'
import { isAlive } from '../support/is-alive.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { isLeftOutOnDeno } from '../support/long.ts'
import { EVERYTHING, FAULTY, NODE } from '../support/mcp-servers.ts'
import { keeps } from './requirements.ts'

if (isLeftOutOnDeno) console.log('mcp.slow of mcp.test.ts is skipped on Deno: it would wait 12 s for the same program')

const PLANTED = 'mcp-planted-3b9d0e5c7f1a4826'
const folder = mkdtempSync(join(tmpdir(), 'muxi-mcp-'))
const countFile = join(folder, 'counted')
const agent = {
  description: 'Calls tools.',
  system_message: 'You call tools.',
  model: { provider: 'openai', model: 'gpt-4.1-mini' },
}

let stage: Stage
let api: Muxi
let worker: Muxi
beforeAll(async () => {
  writeFileSync(countFile, '')
  stage = await openStage({
    agents: {
      caller: {
        ...agent,
        mcp_servers: [
          {
            name: 'everything',
            command: NODE,
            args: [EVERYTHING],
            credentials: { SERVICE_TOKEN: PLANTED },
            approval: 'never',
            idle_stop: 'never',
          },
          {
            name: 'faulty',
            command: NODE,
            args: [FAULTY, 'none', countFile],
            approval: 'never',
            trust_annotations: true,
            idle_stop: 'never',
            timeouts: { call: 10 },
          },
        ],
      },
    },
  })
  api = await stage.start('api')
  worker = await stage.start('worker')
  await connected('everything')
  await connected('faulty')
  return async () => {
    await stage.close()
    rmSync(folder, { recursive: true })
  }
})

afterEach(async () => {
  stage.model.assertUsed()
  await stage.check()
})

it(
  keeps('mcp.call', 'a tool of an MCP server is offered, called and told of, and its credential is shown nowhere'),
  async () => {
    const cue = stage.model.script(
      {
        call: [
          { name: 'everything__get-env', arguments: {} },
          { name: 'everything__echo', arguments: { message: 'hello' } },
        ],
      },
      { say: 'Done.' },
    )
    const stream = await stage.chat(api.url, cue, { agent: 'caller' })
    expect((await stream.untilFinal()).type).toBe('message_end')
    const starts = stream.events
      .filter(({ type }) => type === 'tool_call_start')
      .map(({ data }) => [data.name, data.server])
    expect(starts).toEqual(
      expect.arrayContaining([
        ['echo', 'everything'],
        ['get-env', 'everything'],
      ]),
    )
    const told = stage.model
      .requests(cue)
      .at(-1)!
      .messages.filter(({ role }) => role === 'tool')
    const text = JSON.stringify(told)
    expect(text).toContain('hello')
    expect(text).toContain('SERVICE_TOKEN')
    expect(text).toContain('[secret]')
    const { body } = await stage.call(api.url, '/api/v1/agents/caller/mcp_servers/everything')
    expect(body).toMatchObject({ type: 'command', connected: true, stats: { pid: expect.any(Number), reconnects: 0 } })
    expect(body.available_tools.map(({ name }: { name: string }) => name)).toContain('echo')
    // Rows, blobs, and what Temporal keeps of its histories.
    const kept = readdirSync(stage.dataDir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    for (const text of [worker.stderr(), api.stderr(), ...kept]) expect(text.includes(PLANTED)).toBe(false)
  },
)

it('keeps the digits of numbers from the model over the tool and its result to the model, the log and the API', async () => {
  const given = '{"id":12345678901234567890,"exact":[0.1000000000000000055,1e400]}'
  const cue = stage.model.script({ call: [{ name: 'faulty__repeat', arguments: given }] }, { say: 'Done.' })
  const stream = await stage.chat(api.url, cue, { agent: 'caller' })
  expect((await stream.untilFinal()).type).toBe('message_end')
  const [, again] = stage.model.requests(cue)
  expect(again!.messages.at(-1)).toMatchObject({ role: 'tool', content: given })
  expect(again!.messages.at(-2)).toMatchObject({ tool_calls: [{ function: { arguments: given } }] })
  const { turn_id } = stream.events.find(({ type }) => type === 'message_start')!.data
  const read = async (path: string) => (await stage.call(api.url, `/api/v1/turns/${turn_id}${path}`)).text
  const inText = JSON.stringify(given).slice(1, -1)
  expect(await read('/stream')).toContain(`"parameters":${given}`)
  expect(await read('/stream')).toContain(`"output":${given}`)
  expect(await read('/log')).toContain(`"input":${given}`)
  expect(await read('/log')).toContain(inText)
  const turn = await read('')
  for (const name of ['parameters', 'output']) expect(turn).toContain(`"${name}":${given}`)
})

it(
  keeps(
    'mcp.arguments',
    'arguments that do not fit the schema of the tool go back to the model, and nothing is called',
  ),
  async () => {
    const cue = stage.model.script(
      { call: [{ name: 'faulty__count', arguments: { label: 7 } }] },
      { say: 'I was wrong.' },
    )
    const stream = await stage.chat(api.url, cue, { agent: 'caller' })
    await stream.untilFinal()
    expect(stream.events.find(({ type }) => type === 'tool_call_end')?.data.output).toContain(
      'arguments/label must be string',
    )
    expect(counted('7')).toBe(0)
    const { turn_id } = stream.events[0]!.data
    const { body: turn } = await stage.call(api.url, `/api/v1/turns/${turn_id}`)
    const { body: log } = await stage.call(api.url, `/api/v1/turns/${turn_id}/log`)
    expect([
      stream.events.find(({ type }) => type === 'tool_call_start')?.data.parameters,
      turn.message.agent_response.tool_calls[0].parameters,
      log.entries.find(({ kind }: { kind: string }) => kind === 'tool_call').input,
    ]).toEqual(Array(3).fill({ label: 7 }))
  },
)

it(keeps('mcp.progress', 'progress that a tool reports becomes events'), async () => {
  const cue = stage.model.script({ call: [{ name: 'faulty__slowly', arguments: {} }] }, { say: 'Done.' })
  const stream = await stage.chat(api.url, cue, { agent: 'caller' })
  await stream.untilFinal()
  const news = stream.events.filter(({ type }) => type === 'tool_call_progress').map(({ data }) => data)
  expect(news.length).toBeGreaterThan(1)
  expect(news.at(-1)).toMatchObject({ id: 'call_1_1', progress: 4, total: 4, message: 'step 4' })
})

it(keeps('mcp.images', 'a picture in an answer is shown to the model'), async () => {
  const stop = stage.model.otherwise({ say: 'I see it.' })
  const cue = stage.model.script({ call: [{ name: 'everything__get-tiny-image', arguments: {} }] })
  const stream = await stage.chat(api.url, cue, { agent: 'caller' })
  expect((await stream.untilFinal()).type).toBe('message_end')
  stop()
  const shown = stage.model.requests('Pictures in the answers of the tools').at(-1)?.messages.at(-1)?.content
  expect(JSON.stringify(shown)).toContain('data:image/png;base64,')
})

it(keeps('mcp.many', 'twenty calls at once are each made once'), async () => {
  const labels = Array.from({ length: 20 }, (_, index) => `many-${index}`)
  const streams = await Promise.all(
    labels.map(async (label) => {
      const cue = stage.model.script(
        { call: [{ name: 'faulty__count', arguments: { label, ms: 300 } }] },
        { say: `Counted ${label}.` },
      )
      const conversation_id = await stage.conversation(api.url, { agent_id: 'caller' })
      return stage.chat(api.url, cue, { agent: 'caller', conversation_id })
    }),
  )
  const ends = await Promise.all(streams.map((stream) => stream.untilFinal()))
  expect(ends.map(({ type }) => type)).toEqual(labels.map(() => 'message_end'))
  expect(labels.map(counted)).toEqual(labels.map(() => 1))
})

it(keeps('mcp.cancel', 'cancelling the turn cancels the call at the server'), async () => {
  const cue = stage.model.script({ call: [{ name: 'faulty__never', arguments: {} }] })
  const stream = await stage.chat(api.url, cue, { agent: 'caller' })
  const { turn_id } = (await stream.waitFor('accepted')).data
  await stream.waitFor('tool_call_start')
  await stage.call(api.url, `/api/v1/turns/${turn_id}/cancel`, { method: 'POST' })
  expect((await stream.untilFinal()).type).toBe('cancelled')
  await expect.poll(() => counted('cancelled')).toBeGreaterThan(0)
})

it(
  keeps(
    'mcp.server-killed',
    'a server that dies during a call: what must not run twice ran once, the rest runs again, and it is connected again',
  ),
  async () => {
    const cue = stage.model.script(
      {
        call: [
          { name: 'faulty__count', arguments: { label: 'dies', held: true } },
          { name: 'faulty__count_again', arguments: { label: 'dies-again', held: true } },
        ],
      },
      { say: 'One of them.' },
    )
    const stream = await stage.chat(api.url, cue, { agent: 'caller' })
    await expect.poll(() => counted('dies') + counted('dies-again')).toBe(2)
    const { body } = await stage.call(api.url, '/api/v1/agents/caller/mcp_servers/faulty')
    process.kill(body.stats.pid, 'SIGKILL')
    writeFileSync(`${countFile}.released`, '')
    expect((await stream.untilFinal()).type).toBe('message_end')
    const ends = Object.fromEntries(
      stream.events.filter(({ type }) => type === 'tool_call_end').map(({ data }) => [data.id, data]),
    )
    expect(ends['call_1_1']).toMatchObject({ is_error: true, output: expect.stringContaining('Outcome unknown') })
    expect(ends['call_1_2']).toMatchObject({ is_error: false, output: 'counted dies-again' })
    expect([counted('dies'), counted('dies-again')]).toEqual([1, 2])
    rmSync(`${countFile}.released`)
    const after = await stage.call(api.url, '/api/v1/agents/caller/mcp_servers/faulty')
    expect(after.body.stats.reconnects).toBeGreaterThanOrEqual(1)
  },
)

it.skipIf(isLeftOutOnDeno)(
  keeps('mcp.slow', 'a call waits for a server that needs long to start, and is made once'),
  async () => {
    // Longer than Temporal waits for a heartbeat, and than a worker waits for a server by URL.
    writeFileSync(`${countFile}.slow`, '12000')
    const { body } = await stage.call(api.url, '/api/v1/agents/caller/mcp_servers/faulty')
    process.kill(body.stats.pid, 'SIGKILL')
    const isGone = async () =>
      (await stage.call(api.url, '/api/v1/agents/caller/mcp_servers/faulty')).body.state === 'reconnecting'
    await expect.poll(isGone).toBe(true)
    const cue = stage.model.script(
      { call: [{ name: 'faulty__count', arguments: { label: 'waited-for' } }] },
      { say: 'Counted.' },
    )
    const stream = await stage.chat(api.url, cue, { agent: 'caller' })
    expect((await stream.untilFinal()).type).toBe('message_end')
    rmSync(`${countFile}.slow`)
    expect(counted('waited-for')).toBe(1)
    expect(stream.events.find(({ type }) => type === 'tool_call_end')?.data.output).toBe('counted waited-for')
  },
)

it(
  keeps(
    'mcp.worker-killed',
    'the worker that holds the servers dies: another takes them, what ran once is not run again, and no program is left',
  ),
  async () => {
    const pids = await serverPids()
    const other = await stage.start('worker')
    const cue = stage.model.script(
      { call: [{ name: 'faulty__count', arguments: { label: 'finished' } }] },
      {
        call: [
          { name: 'faulty__count', arguments: { label: 'interrupted', held: true } },
          { name: 'faulty__count_again', arguments: { label: 'interrupted-again', held: true } },
        ],
      },
      { say: 'I do not know.' },
    )
    const stream = await stage.chat(api.url, cue, { agent: 'caller' })
    await expect.poll(() => counted('interrupted') + counted('interrupted-again')).toBe(2)
    await worker.kill()
    writeFileSync(`${countFile}.released`, '')
    await expect.poll(() => pids.filter(isAlive)).toEqual([])
    expect((await stream.untilFinal()).type).toBe('message_end')
    rmSync(`${countFile}.released`)
    worker = other
    expect(['finished', 'interrupted', 'interrupted-again'].map(counted)).toEqual([1, 1, 2])
    const ends = Object.fromEntries(
      stream.events.filter(({ type }) => type === 'tool_call_end').map(({ data }) => [data.id, data.output]),
    )
    expect(ends['call_2_1']).toContain('Outcome unknown')
    expect(ends['call_2_2']).toBe('counted interrupted-again')
    await connected('everything')
  },
)

it(keeps('mcp.terminated', 'SIGTERM ends the worker with every program that it started'), async () => {
  const pids = await serverPids()
  expect(pids.every(isAlive)).toBe(true)
  expect(await worker.stop()).toBe(0)
  await expect.poll(() => pids.filter(isAlive)).toEqual([])
  worker = await stage.start('worker')
  await connected('everything')
  await connected('faulty')
})

it(
  keeps('mcp.paused', 'a worker that only slept finds that another has its servers, and ends its own programs'),
  async () => {
    const pids = await serverPids()
    const other = await stage.start('worker')
    const cue = stage.model.script(
      { call: [{ name: 'faulty__count', arguments: { label: 'slept', held: true } }] },
      { say: 'I do not know.' },
    )
    const stream = await stage.chat(api.url, cue, { agent: 'caller' })
    await expect.poll(() => counted('slept')).toBe(1)
    worker.signal('SIGSTOP')
    expect((await stream.untilFinal()).type).toBe('message_end')
    await expect.poll(async () => (await serverPids()).every((pid) => !pids.includes(pid))).toBe(true)
    worker.signal('SIGCONT')
    await expect.poll(() => pids.filter(isAlive)).toEqual([])
    await connected('everything')
    await connected('faulty')
    expect(counted('slept')).toBe(1)
    const end = stream.events.find(({ type }) => type === 'tool_call_end')
    expect(end?.data.output).toContain('Outcome unknown')
    await other.kill()
  },
)

async function connected(name: string): Promise<void> {
  const patience = AbortSignal.timeout(40_000)
  for (;;) {
    const { body } = await stage.call(api.url, `/api/v1/agents/caller/mcp_servers/${name}`)
    if (body.connected) return
    if (patience.aborted) throw new Error(`'${name}' is not connected: ${JSON.stringify(body)}`)
    await delay(100)
  }
}

async function serverPids(): Promise<number[]> {
  const { body } = await stage.call(api.url, '/api/v1/agents/caller/mcp_servers')
  return body.mcp_servers.map(({ stats }: { stats: { pid: number } }) => stats.pid)
}

function counted(label: string): number {
  return readFileSync(countFile, 'utf8')
    .split('\n')
    .filter((each) => each === label).length
}
