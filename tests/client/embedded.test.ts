// muxi in the process of another program: it serves without a port, and leaves nothing behind.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { muxi } from '../../client/index.ts'
import { serverFiles } from '../../temporal-config/dev-server.ts'
import { findServers } from '../../temporal-config/server-processes.ts'
import { type Child, startChild } from '../support/children.ts'
import { freePort } from '../support/free-port.ts'
import { childrenOf } from '../support/stage.ts'

/** A program may take this long to end by itself, in milliseconds. */
const END = { ms: 60_000 }

let folder: string
let programs: Child[]

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'muxi-embedded-'))
  programs = []
  mkdirSync(join(folder, 'agents'))
  const model = { provider: 'offline', model: 'offline' }
  const agent = { description: 'Needs no model.', system_message: 'You answer.', model }
  writeFileSync(join(folder, 'agents', 'offline.json'), JSON.stringify(agent))
})

afterEach(async () => {
  await Promise.all(programs.map((program) => program.kill()))
  for (const pid of serversIn('data')) process.kill(pid, 'SIGKILL')
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

function start(what: string, env: Record<string, string> = {}): Child {
  const settings = { MUXI_OFFLINE_WORDS_PER_SECOND: '100000', ...env }
  const program = startChild({ script: 'tests/support/embedded-program.ts', args: [what], env: settings, cwd: folder })
  programs.push(program)
  return program
}

function serversIn(dataDir: string): number[] {
  return findServers(serverFiles(join(folder, dataDir)).db).map(({ pid }) => pid)
}

test('chats, streams bytes and serves a socket, then ends by itself without a child', async () => {
  const program = start('chat')
  await program.says(/^done$/m, { ms: 90_000 })
  expect(await program.ended).toBe(0)
  expect(serversIn('data')).toEqual([])
  expect(program.stdout()).toMatch(/^Response: You wrote: “What is the weather like in London\?”/m)
  expect(program.stdout()).toMatch(/^Routed: You wrote: “Hello”/m)
  expect(program.stdout()).toMatch(/^Streamed: bytes$/m)
  expect(program.stdout()).toMatch(/^Socket: You wrote: “Over a socket”/m)
})

test('serves over HTTP with a key that it shows once, until SIGTERM', async () => {
  const port = await freePort()
  const program = start('serve', { MUXI_TEST_PORT: String(port) })
  const [, url = ''] = await program.says(/^muxi is ready: (\S+)$/m, { ms: 90_000 })
  const [, apiKey = ''] = await program.says(/^API key: (sk_muxi_\S+)/m)
  expect(url).toBe(`http://127.0.0.1:${port}`)
  await expect(muxi({ serverUrl: url }).chat('Hello')).rejects.toMatchObject({ status: 401 })
  const reply = await muxi({ serverUrl: url, apiKey }).chat('Hello', { agentName: 'offline' })
  expect(String(reply)).toContain('You wrote: “Hello”')
  expect(await program.stop()).toBe(0)
  expect(program.stdout()).toMatch(/^stopped$/m)
  expect(serversIn('data')).toEqual([])
})

test('a program that forgets to close, and dies, takes the Temporal server with it', async () => {
  const program = start('forget')
  await program.says(/^ready$/m, { ms: 90_000 })
  const servers = serversIn('data')
  expect(servers).toHaveLength(1)
  expect(childrenOf(program.pid)).toContain(servers[0])
  process.kill(program.pid, 'SIGKILL')
  await program.ended
  await expect.poll(() => serversIn('data'), { timeout: END.ms }).toEqual([])
})

test('two data folders at once work, and one that is in use is refused', async () => {
  const program = start('two')
  await program.says(/^Refused: /m, { ms: 90_000 })
  expect(await program.ended).toBe(0)
  expect(program.stdout()).toMatch(/^Replies: 2$/m)
  expect(program.stdout()).toMatch(/^Refused: UnavailableError Cannot start: data folder '.*first' must not be in use/m)
  expect([...serversIn('first'), ...serversIn('second')]).toEqual([])
})
