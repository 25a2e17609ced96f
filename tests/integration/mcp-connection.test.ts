// Connections to real MCP servers: those that others wrote, over each transport, and a faulty one of our own.
import { getEventListeners } from 'node:events'
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { connect, type ConnectOptions } from '../../mcp/connect.ts'
import type { CallOptions, McpConnection } from '../../mcp/connection.ts'
import type { Question } from '../../mcp/open-calls.ts'
import { readAnswer, textOfAnswer } from '../../mcp/result.ts'
import { urlGuard } from '../../net/url-guard.ts'
import { isAlive } from '../support/is-alive.ts'
import { killWithUs } from '../support/children.ts'
import { freePort } from '../support/free-port.ts'
import { EVERYTHING, FAULTY, FILESYSTEM, MEMORY, NODE } from '../support/mcp-servers.ts'
import { tempDir } from '../support/temp-dir.ts'

const guard = urlGuard({ allow_private: true })
const opened: McpConnection[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((connection) => connection.close()))
})

async function open(target: ConnectOptions['target'], more: Partial<ConnectOptions> = {}): Promise<McpConnection> {
  const connection = await connect({
    target,
    fetch: guard.fetch,
    version: '1',
    connect_ms: 20_000,
    max_message_bytes: 2 ** 20,
    signal: new AbortController().signal,
    ...more,
  })
  opened.push(connection)
  return connection
}

const program = (...args: string[]) => ({ command: NODE, args, env: {}, secrets: [] })
const faulty = (fault: string, countFile = '') => program(FAULTY, fault, countFile)

async function call(
  connection: McpConnection,
  name: string,
  parameters: Record<string, unknown> = {},
  options: Partial<CallOptions> = {},
) {
  const { signal = new AbortController().signal, ...rest } = options
  const all = { owner: 'test', signal, silence_ms: 10_000, total_ms: 20_000, onProgress: () => {}, ...rest }
  const answer = readAnswer(await connection.callTool(name, parameters, all))
  const images = answer.parts.filter((part) => typeof part !== 'string')
  return { ...answer, images, text: textOfAnswer(answer) }
}

describe('third-party servers', () => {
  it('server-everything over stdio: tools, a call, a picture, progress', async () => {
    const connection = await open(program(EVERYTHING))
    const tools = (await connection.listTools(new AbortController().signal)).tools.map(({ name }) => name)
    expect(tools).toEqual(expect.arrayContaining(['echo', 'get-sum', 'get-tiny-image']))
    expect((await call(connection, 'echo', { message: 'hello' })).text).toContain('hello')
    const picture = await call(connection, 'get-tiny-image')
    expect(picture.images.map(({ media_type }) => media_type)).toEqual(['image/png'])
    const steps: number[] = []
    const onProgress: CallOptions['onProgress'] = ({ progress }) => void steps.push(progress)
    await call(connection, 'trigger-long-running-operation', { duration: 1, steps: 4 }, { onProgress })
    expect(steps.length).toBeGreaterThanOrEqual(3)
    await connection.ping(new AbortController().signal)
  })

  it('server-everything asks during a call: the answer reaches it, and the timeout is paused meanwhile', async () => {
    const connection = await open(program(EVERYTHING))
    await connection.listTools(new AbortController().signal)
    const asked: Question[] = []
    const onQuestion: CallOptions['onQuestion'] = async (question) => {
      asked.push(question)
      await delay(600)
      return { action: 'accept', content: { name: 'Ada' } }
    }
    const answer = await call(
      connection,
      'trigger-elicitation-request',
      {},
      { silence_ms: 500, total_ms: 500, onQuestion },
    )
    expect(answer.text).toContain('Ada')
    expect(asked).toEqual([{ message: expect.any(String), schema: expect.objectContaining({ type: 'object' }) }])
    const declined = await call(
      connection,
      'trigger-elicitation-request',
      {},
      { onQuestion: async () => ({ action: 'decline' }) },
    )
    expect(declined.text).toContain('declined')
    expect((await call(connection, 'trigger-elicitation-request')).text).toContain('cancelled')
  })

  it('a question that may belong to another owner is refused, where the transport does not tell', async () => {
    const connection = await open(program(EVERYTHING))
    await connection.listTools(new AbortController().signal)
    const long = new AbortController()
    const other = call(
      connection,
      'trigger-long-running-operation',
      { duration: 60, steps: 2 },
      { owner: 'another', signal: long.signal },
    )
    const onQuestion: CallOptions['onQuestion'] = async () => ({ action: 'decline' })
    expect((await call(connection, 'trigger-elicitation-request', {}, { onQuestion })).text).toContain('cancelled')
    long.abort(new Error('enough'))
    await expect(other).rejects.toThrow('enough')
    expect((await call(connection, 'trigger-elicitation-request', {}, { onQuestion })).text).toContain('declined')
  })

  it('server-filesystem over stdio reads a file of its folder, and no other', async () => {
    const folder = tempDir()
    writeFileSync(join(folder, 'note.txt'), 'what stands here')
    const connection = await open(program(FILESYSTEM, folder))
    expect((await call(connection, 'read_text_file', { path: join(folder, 'note.txt') })).text).toContain(
      'what stands here',
    )
    expect((await call(connection, 'read_text_file', { path: '/etc/hostname' })).is_error).toBe(true)
  })

  it('server-memory over stdio stores entities', async () => {
    const env = { MEMORY_FILE_PATH: join(tempDir(), 'memory.json') }
    const connection = await open({ ...program(MEMORY), env })
    const entity = { name: 'Ada', entityType: 'person', observations: ['writes programs'] }
    await call(connection, 'create_entities', { entities: [entity] })
    expect((await call(connection, 'read_graph')).text).toContain('writes programs')
  })

  it.each([
    { kind: 'streamableHttp', path: '/mcp', transport: 'auto' as const },
    { kind: 'sse', path: '/sse', transport: 'auto' as const },
    { kind: 'sse', path: '/sse', transport: 'sse' as const },
  ])('server-everything over $kind, asked for as $transport', async ({ kind, path, transport }) => {
    const port = await freePort()
    const server = await serve(kind, port)
    const target = { url: `http://127.0.0.1:${port}${path}`, transport, headers: {}, secrets: [] }
    const connection = await open(target)
    expect((await call(connection, 'get-sum', { a: 2, b: 3 })).text).toContain('5')
    server.kill('SIGKILL')
    await expect(call(connection, 'echo', { message: 'nobody' }, { silence_ms: 3_000 })).rejects.toMatchObject({
      name: 'McpFailure',
    })
  })

  it('over HTTP each question belongs to the call in whose response stream it arrives', async () => {
    const port = await freePort()
    await serve('streamableHttp', port)
    const url = `http://127.0.0.1:${port}/mcp`
    const connection = await open({ url, transport: 'http', headers: {}, secrets: [] })
    const both = Promise.withResolvers<void>()
    let asked = 0
    const ask = async (owner: string) => {
      const onQuestion: CallOptions['onQuestion'] = async () => {
        asked += 1
        if (asked === 2) both.resolve()
        await both.promise
        return { action: 'accept', content: { name: owner } }
      }
      return (await call(connection, 'trigger-elicitation-request', {}, { owner, onQuestion })).text
    }
    expect(await Promise.all([ask('Ada'), ask('Grace')])).toEqual([
      expect.stringContaining('Ada'),
      expect.stringContaining('Grace'),
    ])
  })

  it('a Python server from PyPI over stdio', async ({ skip }) => {
    const python = pythonServer()
    if (typeof python !== 'string') skip(`mcp-server-time cannot be installed here: ${python.why}`)
    const connection = await open({
      command: python as string,
      args: ['-m', 'mcp_server_time', '--local-timezone', 'UTC'],
      env: {},
      secrets: [],
    })
    const told = await call(connection, 'convert_time', {
      source_timezone: 'UTC',
      time: '12:00',
      target_timezone: 'Asia/Tokyo',
    })
    expect(told.text).toContain('21:00')
  })
})

describe('a server that is started', () => {
  it('gets only the required environment variables, and the configured ones', async () => {
    process.env['MUXI_TEST_FOREIGN'] = 'not for servers'
    onTestFinished(() => void delete process.env['MUXI_TEST_FOREIGN'])
    const connection = await open({ ...faulty('none'), env: { GIVEN: 'yes' } })
    const env = JSON.parse((await call(connection, 'environment')).text) as Record<string, string>
    expect(env).toMatchObject({ GIVEN: 'yes', PATH: process.env['PATH'] })
    expect(env).not.toHaveProperty('MUXI_TEST_FOREIGN')
  })

  it.each(['none', 'stubborn'])('leaves nothing behind when it is closed: %s', async (fault) => {
    const connection = await open(faulty(fault))
    const pids = [connection.pid!, ...(await call(connection, 'children')).text.split(' ').map(Number)]
    expect(pids.map(isAlive)).toEqual([true, true, true, true])
    await connection.close()
    // A killed process exits a moment later.
    await expect.poll(() => pids.filter(isAlive)).toEqual([])
  })

  it('leaves nothing behind when the process that started it is killed with -9', async () => {
    const holder = spawn(NODE, [`${import.meta.dirname}/../support/hold-mcp-server.ts`, 'stubborn'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void holder.kill('SIGKILL'))
    const [pids] = (await once(holder.stdout!)).split('\n')
    const alive = () => pids!.split(' ').map(Number).filter(isAlive)
    expect(alive()).toHaveLength(4)
    holder.kill('SIGKILL')
    await expect.poll(alive).toEqual([])
  })

  it('leaves nothing behind when it ends by itself', async () => {
    const connection = await open(faulty('none', join(tempDir(), 'counted')))
    const pids = (await call(connection, 'children')).text.split(' ').map(Number)
    await expect(call(connection, 'exit', { label: 'a' })).rejects.toMatchObject({ kind: 'lost' })
    await expect.poll(() => pids.filter(isAlive)).toEqual([])
  })

  it('that exits at once, or does not exist, is reported with its last output', async () => {
    await expect(open(faulty('exits'))).rejects.toThrow('it ended (exit code 2): cannot read my configuration')
    await expect(open({ command: 'no-such-program', args: [], env: {}, secrets: [] })).rejects.toThrow(
      "there is no program 'no-such-program'",
    )
  })

  it.each(['silent', 'endless-line'])('that never initializes fails: %s', async (fault) => {
    await expect(open(faulty(fault), { connect_ms: 1_500 })).rejects.toMatchObject({
      name: 'McpFailure',
      kind: 'unsent',
    })
  })

  it('that writes garbage between its messages works, and fails when there is too much of it', async () => {
    const connection = await open(faulty('garbage'))
    expect((await connection.listTools(new AbortController().signal)).tools.length).toBeGreaterThan(0)
    expect(connection.stderrTail).toContain('not a message: this is no message')
    const endless = open(faulty('endless-garbage'))
    await expect(endless.then(({ closed }) => closed)).resolves.toContain('what is no message')
  })

  it('that starts slowly is waited for', async () => {
    expect((await open(faulty('slow-start'))).server?.name).toBe('faulty')
  })

  it('that floods standard error works', async () => {
    const connection = await open(faulty('flood', join(tempDir(), 'counted')))
    expect((await call(connection, 'count', { label: 'a' })).text).toBe('counted a')
    expect(connection.stderrTail.length).toBeLessThanOrEqual(8_192)
  })
})

describe('a call', () => {
  it('whose answer is too long fails alone', async () => {
    const connection = await open(faulty('none'))
    await expect(call(connection, 'big')).rejects.toThrow('the server sent more than 1048576 bytes at once')
    expect((await call(connection, 'environment')).is_error).toBe(false)
  })

  it('that is never answered times out, and the server is notified', async () => {
    const countFile = join(tempDir(), 'counted')
    const connection = await open(faulty('none', countFile))
    await expect(call(connection, 'never', {}, { silence_ms: 300 })).rejects.toMatchObject({ kind: 'timeout' })
    await expect.poll(() => existsSync(countFile) && readFileSync(countFile, 'utf8')).toContain('cancelled')
  })

  it('that reports progress may take longer', async () => {
    const connection = await open(faulty('none'))
    // Ten steps take three seconds.
    expect((await call(connection, 'slowly', { steps: 10 }, { silence_ms: 2_000 })).text).toBe('slowly done')
  })

  it('that is stopped is cancelled at the server', async () => {
    const countFile = join(tempDir(), 'counted')
    const connection = await open(faulty('none', countFile))
    const stop = new AbortController()
    const calling = call(connection, 'never', {}, { signal: stop.signal })
    stop.abort(new Error('enough'))
    await expect(calling).rejects.toThrow('enough')
    await expect.poll(() => existsSync(countFile) && readFileSync(countFile, 'utf8')).toContain('cancelled')
  })

  it('that was answered is not cancelled by a later abort, nor kept in memory', async () => {
    const countFile = join(tempDir(), 'counted')
    const connection = await open(faulty('none', countFile))
    const later = new AbortController()
    await connection.listTools(later.signal)
    for (let ping = 0; ping < 3; ping += 1) await connection.ping(later.signal)
    await call(connection, 'count', { label: 'a' }, { signal: later.signal })
    expect(getEventListeners(later.signal, 'abort')).toEqual([])
    later.abort(new Error('enough'))
    await call(connection, 'count', { label: 'b' })
    expect(readFileSync(countFile, 'utf8')).toBe('a\nb\n')
  })

  it('during which the server exits is lost, and the connection reports the reason', async () => {
    const connection = await open(faulty('none', join(tempDir(), 'counted')))
    await expect(call(connection, 'exit', { label: 'a' })).rejects.toMatchObject({ kind: 'lost' })
    expect(await connection.closed).toContain('exit code 3')
    await expect(call(connection, 'environment')).rejects.toMatchObject({ kind: 'unsent' })
  })
})

it('lists 500 tools page by page, and is notified when they change', async () => {
  const signal = new AbortController().signal
  expect((await (await open(faulty('many-tools'))).listTools(signal)).tools).toHaveLength(500)
  const connection = await open(faulty('none'))
  const changed = Promise.withResolvers<void>()
  connection.onToolsChanged(changed.resolve)
  await call(connection, 'changed')
  await changed.promise
  const [count] = (await connection.listTools(signal)).tools
  expect(count?.description).toContain('something else')
})

it.each([
  ['odd-tools', ['odd', 'count'], /'name' must be a string, got a number/],
  ['endless-pages', [], /more than 100 pages/],
  ['same-page', ['count', 'count'], /'nextCursor' must be new on each page/],
])('reads what can be read of a list with %s, and warns', async (fault, names, warning) => {
  const { tools, warnings } = await (await open(faulty(fault))).listTools(new AbortController().signal)
  expect(tools.map(({ name }) => name)).toEqual(names)
  expect(warnings).toEqual([expect.stringMatching(warning)])
})

async function serve(kind: string, port: number): Promise<ChildProcess> {
  const server = spawn(NODE, [EVERYTHING, kind], {
    env: { PATH: process.env['PATH'], PORT: String(port) },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  })
  const letLive = killWithUs(server.pid!)
  server.on('exit', letLive)
  onTestFinished(() => void server.kill('SIGKILL'))
  await once(server.stderr!, /running|listening/i)
  return server
}

function once(stream: NodeJS.ReadableStream, pattern = /\n/): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    stream.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
      if (pattern.test(text)) resolve(text)
    })
    stream.on('end', () => reject(new Error(`ended without ${pattern}: ${text}`)))
  })
}

/** The interpreter of a virtual environment that has the server, made once into the cache. */
function pythonServer(): string | { why: string } {
  const folder = join(process.env['HOME'] ?? '', '.cache', 'muxi', 'mcp-python')
  const python = join(folder, 'bin', 'python')
  if (existsSync(join(folder, 'ready'))) return python
  try {
    mkdirSync(folder, { recursive: true })
    execFileSync('python3', ['-m', 'venv', folder], { stdio: 'pipe', timeout: 60_000 })
    const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', 'mcp-server-time==2026.10.19']
    execFileSync(python, args, { stdio: 'pipe', timeout: 120_000 })
    writeFileSync(join(folder, 'ready'), '')
    return python
  } catch (error) {
    return { why: (error as Error).message.split('\n')[0] ?? 'unknown' }
  }
}

beforeAll(() => void pythonServer(), 200_000)
