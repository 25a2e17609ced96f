// MCP servers that are programs: started when they are needed, stopped when they are idle; API and worker are processes of their own.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, expect, it, onTestFinished } from 'vitest'
import { isAlive } from '../support/is-alive.ts'
import { LONG } from '../support/long.ts'
import { FAULTY, NODE, TINY } from '../support/mcp-servers.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

const SERVER = '/api/v1/agents/caller/mcp_servers/faulty'
const agent = {
  description: 'Calls tools.',
  system_message: 'You call tools.',
  model: { provider: 'openai', model: 'gpt-4.1-mini' },
}
const faulty = (folder: string, more: object = {}) => ({
  name: 'faulty',
  command: NODE,
  args: [FAULTY, 'none', join(folder, 'noted')],
  approval: 'never',
  trust_annotations: true,
  idle_stop: 1,
  ...more,
})

let stage: Stage
let api: Muxi
let worker: Muxi
beforeAll(async () => {
  stage = await openStage()
  for (const [name, more] of Object.entries({ caller: {}, hasty: { timeouts: { total: 2 } } })) {
    const file = { ...agent, mcp_servers: [faulty(stage.folder, more)] }
    writeFileSync(join(stage.agentsDir, `${name}.json`), JSON.stringify(file))
  }
  api = await stage.start('api')
  worker = await stage.start('worker')
  return () => stage.close()
})

afterEach(async () => {
  stage.model.assertUsed()
  await stage.check()
})

it(
  keeps('mcp.idle', 'an idle server has no process, is not a failure, and its tools are offered; a call starts it'),
  async () => {
    await untilIdle()
    expect(pids().filter(isAlive)).toEqual([])
    const { body } = await stage.call(api.url, '/api/v1/agents/caller')
    expect(body.mcp_servers).toEqual([{ name: 'faulty', type: 'command', connected: false, state: 'idle' }])
    const cue = stage.model.script(
      { call: [{ name: 'faulty__count', arguments: { label: 'woken' } }] },
      { say: 'Counted.' },
    )
    const stream = await stage.chat(api.url, cue, { agent: 'caller' })
    expect((await stream.untilFinal()).type).toBe('message_end')
    const told = stream.events.filter(({ type }) => type.startsWith('tool_call')).map(({ type, data }) => [type, data])
    expect(told).toEqual([
      ['tool_call_start', { id: 'call_1_1', name: 'count', server: 'faulty', parameters: { label: 'woken' } }],
      ['tool_call_progress', { id: 'call_1_1', progress: 0, message: 'Starting the server' }],
      ['tool_call_end', { id: 'call_1_1', output: 'counted woken', is_error: false }],
    ])
    expect(noted('woken')).toBe(1)
    await untilIdle()
    expect(pids().filter(isAlive)).toEqual([])
  },
)

it(keeps('mcp.idle.look', 'looking at an idle server starts it, also from another process'), async () => {
  const before = pids().length
  const { body } = await stage.call(api.url, SERVER)
  expect(body).toMatchObject({ state: 'idle', connected: false, stats: { last_error: null } })
  expect(body.available_tools.map(({ name }: { name: string }) => name)).toContain('count')
  await expect.poll(() => pids().length).toBe(before + 1)
  await untilIdle()
  expect(pids().length).toBe(before + 1)
})

it(keeps('mcp.idle.slow', 'a call to an idle server waits for one that needs long to start'), async () => {
  writeFileSync(join(stage.folder, 'noted.slow'), LONG ? '30000' : '12000')
  const cue = stage.model.script(
    { call: [{ name: 'faulty__count', arguments: { label: 'slow' } }] },
    { say: 'Counted.' },
  )
  const stream = await stage.chat(api.url, cue, { agent: 'caller' })
  expect((await stream.untilFinal()).type).toBe('message_end')
  rmSync(join(stage.folder, 'noted.slow'))
  expect(stream.events.find(({ type }) => type === 'tool_call_end')?.data.output).toBe('counted slow')
  expect(noted('slow')).toBe(1)
  await untilIdle()
})

it(
  keeps('mcp.idle.fails', 'a server that cannot be started fails its call with the reason, and nothing was sent'),
  async () => {
    writeFileSync(join(stage.folder, 'noted.broken'), '')
    const cue = stage.model.script(
      { call: [{ name: 'faulty__count', arguments: { label: 'broken' } }] },
      { say: 'It is broken.' },
    )
    const stream = await stage.chat(api.url, cue, { agent: 'hasty' })
    expect((await stream.untilFinal()).type).toBe('message_end')
    rmSync(join(stage.folder, 'noted.broken'))
    const end = stream.events.find(({ type }) => type === 'tool_call_end')?.data
    expect(end).toMatchObject({ is_error: true })
    expect(end?.output).toMatch(
      /^The MCP server 'faulty' cannot be called: it ended \(exit code 2\).*Nothing was done\.$/,
    )
    expect(noted('broken')).toBe(0)
  },
)

it(
  keeps(
    'mcp.idle.worker-killed',
    'kill -9 of the worker leaves no process of a server that a call has started, and the ledger judges the calls',
  ),
  async () => {
    const other = await stage.start('worker')
    const cue = stage.model.script(
      {
        call: [
          { name: 'faulty__count', arguments: { label: 'once', held: true } },
          { name: 'faulty__count_again', arguments: { label: 'again', held: true } },
        ],
      },
      { say: 'I do not know.' },
    )
    const stream = await stage.chat(api.url, cue, { agent: 'caller' })
    await expect.poll(() => noted('once') + noted('again')).toBe(2)
    await worker.kill()
    worker = other
    const left = pids()
    await expect.poll(() => left.filter(isAlive)).toEqual([])
    writeFileSync(join(stage.folder, 'noted.released'), '')
    expect((await stream.untilFinal()).type).toBe('message_end')
    const ends = Object.fromEntries(
      stream.events.filter(({ type }) => type === 'tool_call_end').map(({ data }) => [data.id, data.output]),
    )
    expect(ends).toEqual({ call_1_1: expect.stringContaining('Outcome unknown'), call_1_2: 'counted again' })
    expect([noted('once'), noted('again')]).toEqual([1, 2])
    await untilIdle()
    expect(pids().filter(isAlive)).toEqual([])
  },
)

it(
  keeps(
    'mcp.idle.many',
    'a hundred idle servers have no process; twenty agents wake theirs at once, each for one call',
  ),
  async () => {
    const folder = stage.folder
    const name = (index: number) => `idler${index}`
    const server = (index: number, which: number) => ({
      name: `s${which}`,
      command: 'sh',
      args: [TINY, join(folder, `${name(index)}-${which}`)],
      approval: 'never',
      idle_stop: 1,
    })
    const agents = Object.fromEntries(
      Array.from({ length: 50 }, (_, index) => [
        name(index),
        { ...agent, mcp_servers: [server(index, 0), server(index, 1)] },
      ]),
    )
    const many = await openStage({ agents })
    onTestFinished(() => many.close())
    const muxi = await many.start('all')
    const state = async (index: number) => {
      const { body } = await many.call(muxi.url, `/api/v1/agents/${name(index)}/mcp_servers`)
      return body.mcp_servers.map((each: { state: string }) => each.state)
    }
    const untilAllIdle = async () => {
      for (let index = 0; index < 50; index += 1)
        await expect.poll(() => state(index), { timeout: 60_000 }).toEqual(['idle', 'idle'])
    }
    await untilAllIdle()
    expect(programsOf(folder)).toEqual([])
    expect(await many.rows('select count(*) as tools from mcp_tools')).toEqual([{ tools: 100 }])
    const turns = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const cue = many.model.script(
          {
            call: [
              { name: 's0__note', arguments: {} },
              { name: 's1__note', arguments: {} },
            ],
          },
          { say: 'Noted.' },
        )
        return many.chat(muxi.url, cue, { agent: name(index) })
      }),
    )
    expect(await Promise.all(turns.map(async (stream) => (await stream.untilFinal()).type))).toEqual(
      turns.map(() => 'message_end'),
    )
    for (let index = 0; index < 20; index += 1)
      for (const which of [0, 1]) expect(readFileSync(join(folder, `${name(index)}-${which}`), 'utf8')).toBe('noted\n')
    await untilAllIdle()
    expect(programsOf(folder)).toEqual([])
    many.model.assertUsed()
    await many.check()
  },
)

async function untilIdle(): Promise<void> {
  for (const name of ['caller', 'hasty']) {
    const state = async () =>
      (await stage.call(api.url, `/api/v1/agents/${name}/mcp_servers`)).body.mcp_servers?.[0]?.state
    await expect.poll(state, { timeout: 30_000 }).toBe('idle')
  }
}

/** The processes of the faulty servers, in the order of their starts. */
function pids(): number[] {
  return lines('noted.starts').map(Number)
}

function noted(label: string): number {
  return lines('noted').filter((each) => each === label).length
}

function lines(name: string): string[] {
  const file = join(stage.folder, name)
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []
}

/** The processes that have a folder in their command line. Linux only. */
function programsOf(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${folder}/idler`)
      } catch {
        return false
      }
    })
}
