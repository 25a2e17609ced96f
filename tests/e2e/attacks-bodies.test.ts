// What an attacker sends in bodies, frames and headers: refused in words, cheaply, and without an end of anything.
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { notedBlocks } from '../support/loop-watch.ts'
import { openStage, type Answer, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

const MB = 2 ** 20
const CHAT = '/api/v1/agents/offline/chat'
const onNode = process.env['MUXI_TEST_RUNTIME'] !== 'deno'

let stage: Stage
let api: Muxi
let loopFile: string
let readKey: string

beforeAll(async () => {
  stage = await openStage()
  loopFile = join(stage.folder, 'blocks')
  writeFileSync(loopFile, '')
  api = await stage.start('api', { env: onNode ? { MUXI_TEST_LOOP_FILE: loopFile } : {} })
  await stage.start('worker')
  readKey = (await call('/api/v1/keys', { name: 'reads', scopes: ['read'] })).body.key
})

afterAll(() => stage.close())

const call = (path: string, body?: unknown, more: { key?: string; headers?: Record<string, string> } = {}) =>
  stage.call(api.url, path, { ...(body !== undefined && { body }), ...more })

function expectError(answer: Pick<Answer, 'status' | 'body' | 'text'>, status: number, code: string): void {
  expect([answer.status, answer.body?.error?.code], answer.text.slice(0, 500)).toEqual([status, code])
  expect(answer.body.error.details.request_id).toMatch(/^req_/)
}

/** Lines of the log at or above `error`, besides those that a test has caused in the process itself. */
const errors = () => api.logs().filter(({ level, unhandled_rejections: count }) => level >= 50 && count === undefined)

/** What a raw HTTP/1.1 request is answered with, until the other side closes or a body of known length has come. */
function raw(text: string): Promise<string> {
  const { hostname, port } = new URL(api.url)
  return new Promise((resolve, reject) => {
    let answered = ''
    const socket = connect(Number(port), hostname, () => socket.write(text))
    socket.setTimeout(10_000, () => socket.destroy(new Error(`no whole answer within 10 s: ${answered}`)))
    socket.on('error', reject).on('data', (data) => {
      answered += data.toString()
      const [head = '', body] = answered.split('\r\n\r\n')
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? Infinity)
      if ((body !== undefined && body.length >= length) || answered.endsWith('\r\n0\r\n\r\n')) socket.end()
    })
    socket.on('close', () => resolve(answered))
  })
}

/** The same for one that reads nothing before all has been sent. */
function sendThenRead(bytes: Buffer): Promise<string> {
  const { hostname, port } = new URL(api.url)
  return new Promise((resolve, reject) => {
    let answered = ''
    const socket = connect(Number(port), hostname)
    socket.pause().setTimeout(10_000, () => socket.destroy(new Error(`no whole answer within 10 s: ${answered}`)))
    socket.on('error', reject).on('close', () => resolve(answered))
    socket.write(bytes, () => socket.resume())
    socket.on('data', (data) => {
      answered += data.toString()
      if (/\r\n\r\n.*\}$|0\r\n\r\n$/s.test(answered)) socket.end()
    })
  })
}

describe('rejections', () => {
  const attachments = [
    { type: 'a', name: 'a', file_id: 'file_x' },
    { type: 'a', name: 'b', data: '!' },
  ]

  it(
    keeps('attack.rejection', 'over REST and WebSocket, many times: refused, and the same process goes on'),
    async () => {
      const socket = await stage.socket(api.url)
      for (let count = 0; count < 5; count += 1) {
        const answer = await call(CHAT, { content: 'x', attachments })
        expect([400, 404]).toContain(answer.status)
        socket.send('chat', `c${count}`, { agent_id: 'offline', content: 'x', attachments })
        const { data } = await socket.waitFor(({ type, id }) => type === 'error' && id === `c${count}`)
        expect(['bad_request', 'not_found']).toContain(data.code)
      }
      socket.send('ping', 'after')
      await socket.waitFor(({ type, id }) => type === 'pong' && id === 'after')
      socket.close()
      expect((await call('/healthz')).status).toBe(200)
      expect(errors()).toEqual([])
    },
  )
})

it(keeps('attack.rejection', 'a promise that is left alone is logged and counted, and ends nothing'), async () => {
  const left = () => api.logs().flatMap(({ unhandled_rejections: count }) => (count === undefined ? [] : [count]))
  for (const count of [1, 2]) {
    process.kill(api.pid, 'SIGUSR2')
    await expect.poll(() => left().length).toBe(count)
  }
  expect(left()).toEqual([1, 2])
  expect((await call('/readyz')).status).toBe(200)
})

describe('refusals', () => {
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`wrong${index}`, index]))

  it(keeps('attack.faults', '200 kB of wrong fields: twenty are named, on every kind of body'), async () => {
    const wrong = Array.from({ length: 40 }, () => ({ type: 1, nested: many(200) }))
    const bodies: [string, unknown][] = [
      [CHAT, { content: 'x', ...many(9_000) }],
      [CHAT, { content: 'x', attachments: wrong }],
      [CHAT, { content: 'x', ['k'.repeat(200_000)]: 1 }],
      ['/api/v1/agents', many(9_000)],
      ['/api/v1/keys', { name: 'x', scopes: Array.from({ length: 15_000 }, () => 'wrong') }],
      ['/api/v1/files', many(9_000)],
    ]
    for (const [path, body] of bodies) {
      const answer = await call(path, body)
      expectError(answer, 400, 'bad_request')
      expect(answer.text.length, path).toBeLessThan(20_000)
      expect(answer.body.error.details.fields.length, path).toBeLessThanOrEqual(20)
    }
    const socket = await stage.socket(api.url)
    socket.send('chat', 'many', { agent_id: 'offline', content: 'x', ...many(9_000) })
    const { data } = await socket.waitFor(({ id }) => id === 'many')
    expect(data.details.fields).toHaveLength(20)
    socket.close()
  })

  it(
    keeps('attack.scopes', 'a key of another scope gets 403 for a wrong body, and for a body that is no JSON'),
    async () => {
      for (const body of [{ nonsense: 1 }, '{', '['.repeat(100_000)])
        for (const path of [CHAT, `${CHAT}/stream`, '/api/v1/agents', '/api/v1/keys', '/api/v1/jobs', '/mcp'])
          expectError(await call(path, body, { key: readKey }), 403, 'forbidden')
      expectError(await call('/api/v1/turns?nonsense=1', undefined, { key: readKey }), 403, 'forbidden')
      expectError(await call('/codec/decode', { payloads: 1 }, { key: readKey }), 403, 'forbidden')
    },
  )

  it(keeps('attack.bounds', 'on REST, the WebSocket, the codec endpoint and /mcp: 400'), async () => {
    const deep = (key: string) => `{"${key}":`.repeat(50_000) + '1' + '}'.repeat(50_000)
    const wide = (key: string) => `{"${key}":[${'[],'.repeat(150_000)}1]}`
    const accept = { accept: 'application/json, text/event-stream' }
    for (const text of [deep('content'), wide('content')]) {
      for (const path of [CHAT, '/api/v1/agents', '/api/v1/files', '/codec/decode', '/mcp'])
        expectError(await call(path, text, { headers: accept }), 400, 'bad_request')
      const encoding = Buffer.from('json/plain').toString('base64')
      const payload = { metadata: { encoding }, data: Buffer.from(text).toString('base64') }
      expectError(await call('/codec/decode', { payloads: [payload] }), 400, 'bad_request')
      const socket = await stage.socket(api.url)
      socket.socket.send(text)
      const { data } = await socket.waitFor(({ type }) => type === 'error')
      expect(data.code).toBe('bad_request')
      socket.close()
    }
    const nested = JSON.parse(`${'{"not":'.repeat(40)}{}${'}'.repeat(40)}`)
    const answer = await call(CHAT, { content: 'x', response_schema: nested })
    expectError(answer, 400, 'bad_request')
    expect(answer.body.error.details.fields[0].path).toBe('response_schema')
    expect(errors()).toEqual([])
  })
})

describe('large bodies that are refused', () => {
  const BYTES = 12 * MB
  const JSON_TYPE = 'content-type: application/json'
  const FORM = 'content-type: multipart/form-data; boundary=x'
  const cases = [
    ['a wrong key', CHAT, JSON_TYPE, 'sk_muxi_wrong', 401],
    ['a key of another scope', CHAT, JSON_TYPE, 'read', 403],
    ['a wrong key for a file', '/api/v1/files', FORM, 'sk_muxi_wrong', 401],
    ['a form that is none', '/api/v1/files', FORM, 'all', 400],
    ['a wrong key for a resumable upload', '/api/v1/files/uploads', 'tus-resumable: 1.0.0', 'sk_muxi_wrong', 401],
    ['a body over the limit', '/api/v1/agents', JSON_TYPE, 'all', 413],
    ['another type', CHAT, 'content-type: text/plain', 'all', 415],
    ['no such address', '/api/v1/nothing', JSON_TYPE, 'all', 404],
  ] as const
  it.each(
    cases.flatMap((each) => ['1.1', '1.1 connection: close', '1.0'].map((version) => [...each, version] as const)),
  )(
    keeps(
      'attack.refused',
      'with %s are answered to a client that reads only when it has sent all: %s %s %s %s HTTP/%s',
    ),
    async (_, path, type, key, status, version) => {
      const [http, close = ''] = version.split(' ', 1).concat(version.slice(4))
      const secret = key === 'all' ? stage.key : key === 'read' ? readKey : key
      const head = [`POST ${path} HTTP/${http}`, `host: ${new URL(api.url).host}`, `authorization: Bearer ${secret}`]
      const lines = [...head, type, `content-length: ${BYTES}`, ...(close ? [close] : []), '', '']
      const answered = await sendThenRead(Buffer.concat([Buffer.from(lines.join('\r\n')), Buffer.alloc(BYTES, 'a')]))
      expect(answered).toMatch(new RegExp(`^HTTP/1.1 ${status} [^]*"error":\\{"code":"`))
    },
  )
})

describe('malformed requests', () => {
  it(keeps('attack.malformed', 'cookies that are not percent-encoded'), async () => {
    for (const cookie of ['muxi_session=%', 'muxi_session=%E0%A4%A', 'muxi_oauth=%', 'other=%; muxi_session=x'])
      for (const path of ['/codec/decode', '/oauth/sign-in/x', '/oauth/callback', '/healthz', '/sign-in?ticket=x']) {
        const body = path === '/codec/decode' ? { payloads: [] } : undefined
        const { status, text } = await call(path, body, { key: '', headers: { cookie } })
        expect(status, `${path} ${cookie} ${text.slice(0, 300)}`).toBeLessThan(500)
      }
  })

  it(
    keeps('attack.malformed', 'codec payloads that are not JSON, and a sign-in without all of its query'),
    async () => {
      const encoding = Buffer.from('json/plain').toString('base64')
      for (const data of ['', '!', Buffer.from('{').toString('base64')])
        expectError(await call('/codec/decode', { payloads: [{ metadata: { encoding }, data }] }), 400, 'bad_request')
      expectError(await call('/sign-in?ticket=wrong'), 401, 'unauthorized')
      expectError(await call('/sign-in'), 400, 'bad_request')
      const { body: ticket } = await call('/api/v1/ws/tickets', undefined, {})
      expect(ticket.error.code).toBe('method_not_allowed')
      const made = await stage.call(api.url, '/api/v1/ws/tickets', { method: 'POST' })
      const signed = await stage.call(api.url, `/sign-in?ticket=${made.body.ticket}`, { redirect: 'manual' })
      expect([signed.status, signed.headers.get('location')]).toEqual([302, '/'])
    },
  )

  it(keeps('attack.malformed', 'an upgrade to h2c is ignored: the request is served as it is'), async () => {
    const { host } = new URL(api.url)
    const headers = `Host: ${host}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__`
    expect(await raw(`GET /healthz HTTP/1.1\r\n${headers}\r\n\r\n`)).toMatch(/^HTTP\/1.1 200 [^]*"ok"/)
    const posted = await raw(`POST ${CHAT} HTTP/1.1\r\n${headers}\r\ncontent-length: 2\r\n\r\n{}`)
    expect(posted).toMatch(/^HTTP\/1.1 401 /)
  })

  it.each([
    ['no HTTP', 'GARBAGE\r\n\r\n', 400],
    ['headers of 20 kB', `GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`, 400],
    [
      'two lengths',
      'POST /healthz HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
      400,
    ],
    ['no Host', 'GET /healthz HTTP/1.1\r\n\r\n', 403],
    ['an unknown expectation', 'GET /healthz HTTP/1.1\r\nhost: localhost\r\nexpect: tea\r\n\r\n', 417],
  ])(keeps('attack.malformed', '%s: an error with its request id'), async (_, text, status) => {
    const answer = await raw(text)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer).toContain(`"request_id":"${/x-request-id: (\S+)/.exec(answer)?.[1]}"`)
  })

  it(keeps('attack.malformed', 'a voice that does not exist is a bad_request'), async () => {
    const answer = await call('/api/v1/audio/speech', { input: 'Hello', voice: 'nobody', format: 'wav' })
    if (answer.status === 503) return expect(answer.body.error.message).toContain('espeak-ng')
    expectError(answer, 400, 'bad_request')
    expect(answer.body.error.details.fields[0].path).toBe('voice')
  })
})

describe('ids', () => {
  it(keeps('attack.ids', 'every wrong frame is answered under its id'), async () => {
    const socket = await stage.socket(api.url)
    const frames: object[] = [
      { type: 'chat', id: 'f1', surplus: 1 },
      { type: 5, id: 'f2' },
      { type: 'nonsense', id: 'f3' },
      { type: 'chat', id: 'f4', data: [] },
      { id: 'f5' },
    ]
    for (const frame of frames) socket.socket.send(JSON.stringify(frame))
    for (const id of ['f1', 'f2', 'f3', 'f4', 'f5']) {
      const { type, data } = await socket.waitFor((frame) => frame.id === id)
      expect([type, data.code]).toEqual(['error', 'bad_request'])
      expect(data.details.request_id).toMatch(/^req_/)
    }
    const reader = await stage.socket(api.url, readKey)
    reader.send('cancel', 'p1', { turn_id: `turn_${'0'.repeat(32)}` })
    expect((await reader.waitFor(({ id }) => id === 'p1')).data.code).toBe('forbidden')
    reader.close()
    socket.close()
  })

  it(keeps('attack.ids', 'an upgrade elsewhere, from elsewhere or without a key of its own has a body'), async () => {
    const { host } = new URL(api.url)
    const upgrade = (path: string, more = '') =>
      raw(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${more}\r\n`)
    const cases: [string, number, string][] = [
      [await upgrade('/elsewhere'), 404, 'not_found'],
      [await upgrade('/api/v1/ws', 'Origin: http://evil.test\r\n'), 403, 'forbidden'],
      [await upgrade('/api/v1/ws'), 400, 'bad_request'],
    ]
    for (const [answer, status, code] of cases) {
      const [head = '', body = ''] = answer.split('\r\n\r\n')
      expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
      const { error } = JSON.parse(body)
      expect(error.code).toBe(code)
      expect(error.details.request_id).toBe(/x-request-id: (\S+)/.exec(head)?.[1])
    }
  })
})

describe.runIf(onNode)('the event loop', () => {
  /** Of one go, in milliseconds of the thread's own time. */
  const limitOf = (bytes: number) => (bytes <= MB ? 100 : 250)
  const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')
  const picture = (bytes: number) => Buffer.concat([PNG, Buffer.alloc(bytes, 'x')]).toString('base64')
  const attached = (count: number, bytes: number) =>
    JSON.stringify({
      content: 'x',
      background: true,
      attachments: Array.from({ length: count }, (_, index) => ({
        type: 'image/png',
        name: `${index}.png`,
        data: picture(bytes),
      })),
    })
  const fill = (size: number, unit: string) => unit.repeat(Math.floor(size / unit.length))
  const keys = (size: number, count: number) => {
    const pad = 'k'.repeat(Math.max(0, Math.floor(size / count) - 12))
    return Array.from({ length: count }, (_, index) => `"${index.toString(36)}${pad}":1`).join(',')
  }
  const SMALL = MB - 1_000
  const LARGE = 25 * MB - 1_000
  const rpc = (params: string) => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`
  const encoding = Buffer.from('json/plain').toString('base64')
  const agent = (more: object) => JSON.stringify({ id: 'big', description: 'x', system_message: 'x', ...more })

  const bodies: [name: string, path: string, body: () => string][] = [
    ['a long text that is no content', '/api/v1/conversations', () => `{"agent_id":"${fill(SMALL, 'x')}"}`],
    ['unknown keys', '/api/v1/agents', () => `{${keys(SMALL, 9_900)}}`],
    ['wrong items of a list', '/api/v1/keys', () => `{"name":"x","scopes":[${fill(SMALL - 50, '"wrong-scope",')}"x"]}`],
    ['as many values as there may be', '/api/v1/conversations', () => `[${fill(39_990, '1,')}1]`],
    ['as many lists as there may be', '/api/v1/conversations', () => `[${fill(29_900, '[],')}1]`],
    ['too many values', '/api/v1/conversations', () => `[${fill(SMALL, '1,')}1]`],
    ['brackets', '/api/v1/agents', () => fill(SMALL, '[')],
    ['escapes', '/api/v1/agents', () => `{"a":"${fill(SMALL, '\\u0041')}"}`],
    ['quotes', '/api/v1/agents', () => `{"a":"${fill(SMALL, '\\"')}"}`],
    [
      'a long system message and long knowledge',
      '/api/v1/agents',
      () => agent({ system_message: fill(100_000, 'é'), knowledge: [{ id: 'k', content: fill(SMALL / 2, 'word ') }] }),
    ],
    [
      'many wrong MCP servers',
      '/api/v1/agents',
      () => agent({ mcp_servers: Array.from({ length: 32 }, () => ({ name: 'n', url: fill(30_000, '1') })) }),
    ],
    ['arguments of a tool call', '/mcp', () => rpc(`{"name":"offline","arguments":{${keys(SMALL - 200, 9_900)}}}`)],
    ['a deep response schema', CHAT, () => `{"content":"x","response_schema":{"enum":[${fill(SMALL, '[[]],')}1]}}`],
    ['one large picture', CHAT, () => attached(1, 18 * MB)],
    ['twenty pictures', CHAT, () => attached(20, 0.9 * MB)],
    ['content that is far too long', CHAT, () => `{"content":"${fill(LARGE - 20, '€').slice(0, LARGE / 3)}"}`],
    [
      'attachments that are not base64',
      CHAT,
      () => `{"content":"x","attachments":[{"type":"a","name":"a","data":"${fill(LARGE - 100, 'QUJD')}!"}]}`,
    ],
    ['values without end', CHAT, () => `{"content":[${fill(LARGE - 50, '1,')}1]}`],
    ['keys without end', CHAT, () => `{${keys(LARGE, 9_900)}}`],
    ['a large file in JSON', '/api/v1/files', () => JSON.stringify({ name: 'a.png', data: picture(18 * MB) })],
    [
      'many codec payloads',
      '/codec/decode',
      () => {
        const payload = {
          metadata: { encoding },
          data: Buffer.from(JSON.stringify(fill(5_000, 'x'))).toString('base64'),
        }
        return JSON.stringify({ payloads: Array.from({ length: 1_000 }, () => payload) })
      },
    ],
  ]

  /** The longest block while something is done, after the loop was quiet. */
  async function longestBlock(work: () => Promise<unknown>): Promise<number> {
    const before = notedBlocks(loopFile).length
    await work()
    // What follows the answer, such as the writing of the last rows.
    await call('/healthz')
    return Math.max(0, ...notedBlocks(loopFile).slice(before))
  }

  it(keeps('attack.event-loop', 'the largest bodies that are read, over REST'), async () => {
    const faults: string[] = []
    for (const [name, path, make] of bodies) {
      const body = make()
      const headers = {
        'idempotency-key': `large-${name}`,
        ...(path === '/mcp' && { accept: 'application/json, text/event-stream' }),
      }
      const blocks: number[] = []
      const limit = limitOf(Buffer.byteLength(body))
      // The second time its code is compiled and the heap has grown.
      for (let times = 0; times < 2 && !(blocks.at(-1)! < limit); times += 1)
        blocks.push(
          await longestBlock(async () => {
            const { status, text } = await call(path, body, { headers })
            if (status >= 500) faults.push(`${name}: ${status} ${text.slice(0, 300)}`)
          }),
        )
      if (process.env['MUXI_TEST_SHOW'] === 'yes') console.log(name, body.length, blocks)
      if (blocks.at(-1)! >= limit) faults.push(`${name}: ${blocks.join(', ')} ms, at most ${limit}`)
    }
    expect(faults).toEqual([])
  })

  it(keeps('attack.event-loop', 'the largest frames'), async () => {
    const frames: [string, string][] = [
      ['an attachment', `{"type":"chat","id":"f","data":{"agent_id":"offline",${attached(1, 18 * MB).slice(1)}}`],
      ['values', `{"type":"chat","id":"f","data":{"agent_id":[${fill(LARGE, '1,')}1]}}`],
      ['keys', `{"type":"chat","id":"f","data":{${keys(LARGE, 9_900)}}}`],
    ]
    for (const [name, text] of frames) {
      const socket = await stage.socket(api.url)
      const block = await longestBlock(async () => {
        socket.socket.send(text)
        await socket.waitFor(({ type }) => type === 'error' || type === 'accepted')
      })
      if (process.env['MUXI_TEST_SHOW'] === 'yes') console.log(name, text.length, block)
      expect(block, name).toBeLessThan(250)
      socket.close()
    }
  })
})
