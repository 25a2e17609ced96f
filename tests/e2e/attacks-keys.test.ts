// Keys that are deleted, rotated, expired, or used from elsewhere: what was opened with them ends, in every process.
import { request } from 'node:http'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { Stopwatch } from '../support/stopwatch.ts'
import type { SseClient } from '../support/sse-client.ts'
import { manyWords } from '../support/words.ts'
import { WsClient } from '../support/ws-client.ts'
import { keeps } from './requirements.ts'

/** How long streams and sockets may outlive their key, in milliseconds. */
const END_MS = 5_000
const STREAMS_PER_KEY = 4
/** The key may be used from here only; tests connect from another loopback address too. */
const NETWORKS = ['127.0.0.1/32']
const ELSEWHERE = '127.0.0.2'

const PUBLIC_URL = 'https://muxi.example.org'
const UI_URL = 'https://temporal.example.org'

let stage: Stage
let muxi: Muxi
let api: Muxi

beforeAll(async () => {
  stage = await openStage({ env: { MUXI_LIMIT_STREAMS_PER_KEY: String(STREAMS_PER_KEY) } })
  muxi = await stage.start('all')
  api = await stage.start('api', { env: { MUXI_PUBLIC_URL: PUBLIC_URL, TEMPORAL_UI_URL: UI_URL } })
  return () => stage.close()
})
afterEach(async () => {
  stage.model.assertUsed()
  await stage.check()
})

interface MadeKey {
  id: string
  key: string
}

async function makeKey(fields: object = {}): Promise<MadeKey> {
  const { status, text, body } = await stage.call(muxi.url, '/api/v1/keys', {
    body: { name: 'a key', scopes: ['chat', 'read'], ...fields },
  })
  if (status !== 201) throw new Error(`no key: ${text}`)
  return body
}

const deleteKey = (url: string, { id }: MadeKey) => stage.call(url, `/api/v1/keys/${id}`, { method: 'DELETE' })

async function rotateKey({ id }: MadeKey, grace_seconds: number): Promise<MadeKey> {
  const { body } = await stage.call(api.url, `/api/v1/keys/${id}/rotate`, { body: { grace_seconds } })
  return body
}

async function makeTicket(key: string): Promise<string> {
  const { body } = await stage.call(muxi.url, '/api/v1/ws/tickets', { method: 'POST', key })
  return body.ticket
}

/** A running turn, and its subscribers with the key: a stream, a socket, and a socket that a ticket opened. */
async function openAll(key: string): Promise<{ turn_id: string; stream: SseClient; sockets: WsClient[] }> {
  const content = stage.model.script({ say: manyWords('word', 2_000), pieces_per_second: 40 })
  const stream = await stage.chat(muxi.url, content, { key })
  const { turn_id } = (await stream.waitFor('accepted')).data
  const url = `${muxi.url}/api/v1/ws`
  const sockets = [await stage.socket(muxi.url, key), await WsClient.open(`${url}?ticket=${await makeTicket(key)}`)]
  for (const socket of sockets) {
    socket.send('resume', 'r', { turn_id })
    await socket.waitFor(({ type }) => type === 'chat_content')
  }
  await stream.waitFor('content')
  return { turn_id, stream, sockets }
}

const endsWithin = (stream: SseClient, ms: number) =>
  Promise.race([stream.ended, new Promise((resolve) => setTimeout(() => resolve('still open'), ms).unref())])

async function expectAllEnded({ stream, sockets }: { stream: SseClient; sockets: WsClient[] }): Promise<void> {
  const lost = new Stopwatch()
  const codes = Promise.all(sockets.map((socket) => socket.closesWith()))
  // As a whole answer, and without a final event: the turn itself has not ended.
  expect(await endsWithin(stream, 30_000)).toBe('ended')
  await codes
  expect(lost.undisturbed()).toBeLessThan(END_MS)
  expect(stream.final).toBeUndefined()
  expect(await codes).toEqual([4401, 4401])
  expect(sockets.flatMap(({ frames }) => frames.filter(({ type }) => type === 'error'))).toEqual([])
}

async function cancel(turn_id: string): Promise<void> {
  // A head start writes text before the activity has claimed the turn.
  await expect.poll(async () => (await stage.turn(muxi.url, turn_id)).status).toBe('running')
  await stage.call(muxi.url, `/api/v1/turns/${turn_id}/cancel`, { method: 'POST' })
}

async function unfinishedTurns(): Promise<string[]> {
  const { turns } = (await stage.call(muxi.url, '/api/v1/turns')).body as {
    turns: { turn_id: string; status: string }[]
  }
  return turns.filter(({ status }) => ['queued', 'running'].includes(status)).map(({ turn_id }) => turn_id)
}

describe('streams and sockets', () => {
  it(keeps('attack.keys.streams', 'end when their key is deleted, here or in another process'), async () => {
    for (const { url } of [muxi, api]) {
      const key = await makeKey()
      const open = await openAll(key.key)
      expect((await deleteKey(url, key)).status).toBe(200)
      await expectAllEnded(open)
      await cancel(open.turn_id)
    }
  })

  it(keeps('attack.keys.streams', 'end at once in the process that deletes the key'), async () => {
    const key = await makeKey()
    const socket = await stage.socket(muxi.url, key.key)
    socket.send('ping', 'p')
    await socket.waitFor(({ type }) => type === 'pong')
    await deleteKey(muxi.url, key)
    expect(await socket.closesWith()).toBe(4401)
  })

  it(keeps('attack.keys.streams', 'of MCP clients end as well'), async () => {
    const key = await makeKey()
    const headers = {
      authorization: `Bearer ${key.key}`,
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
    }
    const introduction = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } }
    const introduced = await fetch(`${muxi.url}/mcp`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: introduction }),
    })
    const session = introduced.headers.get('mcp-session-id') ?? ''
    const content = stage.model.script({ say: manyWords('word', 2_000), pieces_per_second: 40 })
    const stream = await fetch(`${muxi.url}/mcp`, {
      method: 'POST',
      headers: { ...headers, 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 2,
        method: 'tools/call',
        params: { name: 'scripted', arguments: { content }, _meta: { progressToken: 1 } },
      }),
    })
    expect([introduced.status, stream.status]).toEqual([200, 200])
    const told = stream.body!.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]()
    let text = ''
    while (!text.includes('word')) text += (await told.next()).value
    await deleteKey(api.url, key)
    const lost = new Stopwatch()
    for (let next = await told.next(); !next.done; next = await told.next()) text += next.value
    expect(lost.undisturbed()).toBeLessThan(END_MS)
    expect(text).not.toContain('"result"')
    for (const turn of await unfinishedTurns()) await cancel(turn)
  })

  it(keeps('attack.keys.streams', 'outlive a rotation by its grace; those of the new secret stay'), async () => {
    const key = await makeKey()
    const open = await openAll(key.key)
    const grace = 4
    const rotated = await rotateKey(key, grace)
    const at = Date.now()
    const socket = await stage.socket(muxi.url, rotated.key)
    await expectAllEnded({
      ...open,
      sockets: await Promise.all(
        open.sockets.map(async (each) => {
          await each.closesWith(grace * 1_000 + 30_000)
          return each
        }),
      ),
    })
    expect(Date.now() - at).toBeGreaterThan(grace * 1_000 - 100)
    socket.send('ping', 'p')
    expect((await socket.waitFor(({ id }) => id === 'p')).type).toBe('pong')
    socket.close()
    await cancel(open.turn_id)
  })

  it(keeps('attack.keys.streams', 'end when their key expires, and so does the wait for a reply'), async () => {
    const key = await makeKey({ expires_at: new Date(Date.now() + 3_600_000).toISOString() })
    const open = await openAll(key.key)
    const content = stage.model.script({ say: manyWords('slow', 2_000), pieces_per_second: 40 })
    const waiting = stage.call(muxi.url, '/api/v1/agents/scripted/chat', {
      body: { content, conversation_id: await stage.conversation(muxi.url) },
      key: key.key,
    })
    await expect.poll(() => stage.model.calls(content)).toBe(1)
    const expired = new Date(Date.now() - 1).toISOString()
    await stage.write([`update api_keys set expires_at = '${expired}' where id = '${key.id}'`])
    await expectAllEnded(open)
    expect((await waiting).status).toBe(401)
    await cancel(open.turn_id)
    for (const turn of await unfinishedTurns()) await cancel(turn)
  })

  it(keeps('attack.streams.limits', 'over the limit of a key: 429, and 4429 on the WebSocket'), async () => {
    const key = await makeKey()
    const content = stage.model.script({ say: manyWords('word', 2_000), pieces_per_second: 40 })
    const first = await stage.chat(muxi.url, content, { key: key.key })
    const { turn_id } = (await first.waitFor('accepted')).data
    await first.waitFor('content')
    const streams = [first]
    while (streams.length < STREAMS_PER_KEY) streams.push(await stage.follow(muxi.url, turn_id, undefined, key.key))
    const refused = await stage.call(muxi.url, `/api/v1/turns/${turn_id}/stream`, { key: key.key })
    expect([refused.status, refused.body.error.code]).toEqual([429, 'rate_limited'])
    expect(refused.body.error.message).toContain(String(STREAMS_PER_KEY))
    expect(refused.headers.get('retry-after')).not.toBeNull()
    const socket = new WsClient(`${muxi.url}/api/v1/ws`, { authorization: `Bearer ${key.key}` })
    expect(await socket.closesWith()).toBe(4429)
    // Another key is not concerned, and a stream that was cut makes room.
    const other = await stage.follow(muxi.url, turn_id)
    streams.pop()!.cut()
    await expect
      .poll(async () => {
        const again = await stage.follow(muxi.url, turn_id, undefined, key.key).catch(() => undefined)
        if (again) streams.push(again)
        return again?.response.status
      })
      .toBe(200)
    for (const stream of [...streams, other]) stream.cut()
    await cancel(turn_id)
  })
})

describe('tickets and sessions', () => {
  /** The code with which a socket closes that is opened from an address; `open` when it answers. */
  const openFrom = (address: string, ticket: string): Promise<number | 'open'> =>
    new Promise((resolve, reject) => {
      const url = `${muxi.url.replace('http', 'ws')}/api/v1/ws?ticket=${ticket}`
      const socket = new WebSocket(url, { localAddress: address })
      socket.on('open', () => socket.send(JSON.stringify({ type: 'ping', id: 'p' })))
      socket.on('message', () => {
        socket.terminate()
        resolve('open')
      })
      socket.on('close', resolve)
      socket.on('error', reject)
    })

  interface Asked {
    status: number
    cookie: string
  }

  /** One request from an address, with a cookie. */
  const ask = (address: string, path: string, options: { cookie?: string; body?: string; url?: string } = {}) =>
    new Promise<Asked>((resolve, reject) => {
      const { cookie = '', body, url = muxi.url } = options
      const sent = request(
        `${url}${path}`,
        {
          localAddress: address,
          method: body === undefined ? 'GET' : 'POST',
          headers: { cookie, ...(body !== undefined && { 'content-type': 'application/json' }) },
        },
        (response) => {
          response.resume()
          const cookies = response.headers['set-cookie'] ?? []
          resolve({ status: response.statusCode ?? 0, cookie: cookies[0] ?? '' })
        },
      )
      sent.on('error', reject)
      sent.end(body)
    })

  const signInPath = async (key: string, to = `${muxi.url}/temporal`) =>
    `/sign-in?${new URLSearchParams({ ticket: await makeTicket(key), to })}`

  async function signIn(key: string): Promise<string> {
    const { status, cookie } = await ask('127.0.0.1', await signInPath(key))
    expect([status, cookie]).toEqual([302, expect.stringContaining('muxi_session=')])
    return cookie.split(';')[0]!
  }

  const decode = async (cookie: string, address = '127.0.0.1') =>
    (await ask(address, '/codec/decode', { cookie, body: '{"payloads":[]}' })).status

  it(keeps('attack.keys.tickets', 'open nothing from outside the networks of their key'), async () => {
    const { key } = await makeKey({ networks: NETWORKS })
    expect(await openFrom(ELSEWHERE, await makeTicket(key))).toBe(4401)
    expect(await openFrom('127.0.0.1', await makeTicket(key))).toBe('open')
    expect((await ask(ELSEWHERE, await signInPath(key))).status).toBe(403)
    const cookie = await signIn(key)
    expect([await decode(cookie), await decode(cookie, ELSEWHERE)]).toEqual([200, 403])
  })

  it(keeps('attack.keys.tickets', 'end with the secret they were made with'), async () => {
    const key = await makeKey()
    const [ticket, cookie] = [await makeTicket(key.key), await signIn(key.key)]
    const graced = await rotateKey(key, 3)
    expect(await decode(cookie)).toBe(200)
    await expect.poll(() => decode(cookie), { interval: 200 }).toBe(401)
    expect(await openFrom('127.0.0.1', ticket)).toBe(4401)
    // Without a grace at once; and those of the new secret work until the key is deleted.
    const [again, later] = [await makeTicket(graced.key), await signIn(graced.key)]
    const rotated = await rotateKey(graced, 0)
    expect([await openFrom('127.0.0.1', again), await decode(later)]).toEqual([4401, 401])
    const [last, newest] = [await makeTicket(rotated.key), await signIn(rotated.key)]
    expect(await decode(newest)).toBe(200)
    await deleteKey(api.url, key)
    expect([await openFrom('127.0.0.1', last), await decode(newest)]).toEqual([4401, 401])
  })

  it(keeps('attack.session.cookie', 'is sent over HTTPS only where people use HTTPS'), async () => {
    const [plain, behindHttps] = [
      await ask('127.0.0.1', await signInPath(stage.key)),
      await ask('127.0.0.1', await signInPath(stage.key, UI_URL), { url: api.url }),
    ]
    expect(plain.cookie).not.toContain('Secure')
    expect(behindHttps.cookie).toContain('Secure')
    for (const { cookie } of [plain, behindHttps]) expect(cookie).toContain('HttpOnly')
  })

  it(
    keeps('attack.origins', 'only configured origins may send credentials along, and no other is reflected'),
    async () => {
      const headers = async (origin: string, method = 'GET') => {
        const answer = await stage.call(api.url, '/healthz', { method, key: '', headers: { origin } })
        const name = 'access-control-allow-'
        return [answer.headers.get(`${name}origin`), answer.headers.get(`${name}credentials`)]
      }
      for (const method of ['GET', 'OPTIONS']) {
        for (const known of [PUBLIC_URL, UI_URL]) expect(await headers(known, method)).toEqual([known, 'true'])
        for (const foreign of ['http://localhost:3000', 'http://muxi.example.org', `${PUBLIC_URL}:8443`])
          expect([foreign, ...(await headers(foreign, method))]).toEqual([foreign, '*', null])
      }
      // A page on another port is of the same site, so that browsers send our cookie with its requests.
      const cookie = await signIn(stage.key)
      const decodeFrom = async (origin: string) =>
        (await stage.call(muxi.url, '/codec/decode', { key: '', headers: { origin, cookie }, body: { payloads: [] } }))
          .status
      expect(await decodeFrom(muxi.url)).toBe(200)
      expect(await decodeFrom('http://localhost:3000')).toBe(403)
    },
  )
})

describe('what keys are refused', () => {
  it(keeps('attack.keys.expiry', 'an expiry that is no real time or has passed'), async () => {
    const past = new Date(Date.now() - 1_000).toISOString()
    for (const expires_at of [
      past,
      '2020-01-01T00:00:00Z',
      '2099-02-30T00:00:00Z',
      '2099-13-01T00:00:00Z',
      '2099-01-01T25:00:00Z',
    ]) {
      const answer = await stage.call(muxi.url, '/api/v1/keys', { body: { name: 'k', scopes: ['chat'], expires_at } })
      expect([expires_at, answer.status, answer.body.error?.code]).toEqual([expires_at, 400, 'bad_request'])
      expect(answer.body.error.message).toContain('expires_at')
    }
    expect(await makeKey({ expires_at: '2099-01-01T00:00:00Z' })).toMatchObject({
      expires_at: '2099-01-01T00:00:00.000Z',
    })
  })

  it(keeps('attack.keys.logs', 'a key that may read reads the log of a turn, of its own user only'), async () => {
    const { body: turn } = await stage.call(muxi.url, '/api/v1/agents/offline/chat', {
      body: { content: 'Hello', user_id: 'bert' },
    })
    const path = `/api/v1/turns/${turn.turn_id}/log`
    const statusWith = async (fields: object) =>
      (await stage.call(muxi.url, path, { key: (await makeKey(fields)).key })).status
    expect(await statusWith({ scopes: ['read'] })).toBe(200)
    expect(await statusWith({ scopes: ['read'], user_id: 'bert' })).toBe(200)
    expect(await statusWith({ scopes: ['chat'], user_id: 'bert' })).toBe(200)
    expect(await statusWith({ scopes: ['read'], user_id: 'anna' })).toBe(404)
    expect(await statusWith({ scopes: ['manage'] })).toBe(403)
  })
})

it(keeps('attack.streams.end', 'a stream that is asked for past its end: 204, of a turn and of a job'), async () => {
  const file_id = await stage.upload(muxi.url, 'note.txt', 'Tea is at four.')
  const { body: job } = await stage.call(muxi.url, '/api/v1/jobs', { body: { kind: 'document', file_id } })
  const stream = await stage.followJob(muxi.url, job.id)
  await stream.ended
  const { body: turn } = await stage.call(muxi.url, '/api/v1/agents/offline/chat', { body: { content: 'Hello' } })
  for (const [path, last] of [
    [`/api/v1/jobs/${job.id}/stream`, stream.lastId],
    [`/api/v1/turns/${turn.turn_id}/stream`, 1_000],
  ] as const) {
    for (const past of [last, last + 1, last + 1_000]) {
      const answer = await stage.call(muxi.url, path, { headers: { 'last-event-id': String(past) } })
      expect([path, past, answer.status]).toEqual([path, past, 204])
    }
  }
})
