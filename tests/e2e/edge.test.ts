// The edge of the server: HTTPS, proxies, networks of administrators, headers of every answer.
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { ROOT } from '../support/children.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

const tls = (name: string) => join(ROOT, 'tests/fixtures/tls', name)
const ca = readFileSync(tls('server.crt'))
const PROXY = { MUXI_TRUSTED_PROXIES: '127.0.0.1', MUXI_ADMIN_NETWORKS: '192.0.2.0/24' }

let stage: Stage
let muxi: Muxi
beforeAll(async () => {
  stage = await openStage()
  const { key } = { key: 'sk_muxi_of_the_edge_tests' }
  stage.key = key
  const env = { ...PROXY, MUXI_API_KEY: key, MUXI_TLS_CERT: tls('server.crt'), MUXI_TLS_KEY: tls('server.key') }
  muxi = await stage.start('api', { env })
})
afterAll(() => stage.close())

interface Answer {
  status: number
  headers: Record<string, string>
  // oxlint-disable-next-line typescript/no-explicit-any -- JSON of any form
  body: any
}

/** Over HTTPS, from the proxy. */
function call(path: string, headers: Record<string, string> = {}, method = 'GET', body?: string): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const all = { authorization: `Bearer ${stage.key}`, 'content-type': 'application/json', ...headers }
  httpsRequest(muxi.url + path, { ca, method, headers: all }, (answer) => {
    let text = ''
    answer.on('data', (chunk: Buffer) => (text += chunk))
    answer.on('end', () => {
      const json = answer.headers['content-type']?.includes('json') ? JSON.parse(text) : text
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers as Record<string, string>, body: json })
    })
  })
    .on('error', reject)
    .end(body)
  return promise
}

const from = (address: string) => ({ 'x-forwarded-for': address })

describe('HTTPS', () => {
  it(keeps('edge.tls', 'answers with HSTS and the headers of every answer, and opens WebSockets'), async () => {
    expect(muxi.url).toMatch(/^https:/)
    for (const [path, status] of [
      ['/api/v1/agents', 200],
      ['/api/v1/agents/nobody', 404],
      ['/nothing', 404],
      ['/healthz', 200],
    ] as const) {
      const answer = await call(path)
      expect(answer.status).toBe(status)
      expect(answer.headers).toMatchObject({
        'strict-transport-security': 'max-age=31536000',
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
      })
      if (path.startsWith('/api'))
        expect(answer.headers['cache-control']).toBe(path.endsWith('/agents') ? 'private, no-cache' : 'no-store')
    }
    const page = await call('/')
    expect(page.headers['content-security-policy']).toContain("default-src 'self'")
    const socket = new WebSocket(`${muxi.url.replace('https', 'wss')}/api/v1/ws?api_key=${stage.key}`, { ca })
    const answered = new Promise((resolve) => socket.on('message', (data: Buffer) => resolve(JSON.parse(String(data)))))
    socket.on('open', () => socket.send(JSON.stringify({ type: 'ping', id: '1', data: {} })))
    expect(await answered).toMatchObject({ type: 'pong', id: '1' })
    socket.close()
  })

  it(keeps('edge.tls', 'plain HTTP gets no answer there'), async () => {
    await expect(fetch(muxi.url.replace('https', 'http'))).rejects.toThrow('fetch failed')
  })
})

describe('behind a proxy', () => {
  it(keeps('edge.proxy', "keys are checked against the client's address, over HTTP and WebSocket"), async () => {
    const body = JSON.stringify({ name: 'far', scopes: ['chat'], networks: ['198.51.100.0/24', '2001:db8::/32'] })
    const made = await call('/api/v1/keys', from('192.0.2.1'), 'POST', body)
    expect(made.status).toBe(201)
    const authorization = `Bearer ${made.body.key}`
    const statuses: number[] = []
    for (const address of ['198.51.100.7', '::ffff:198.51.100.7', '2001:db8::1', '203.0.113.1', '127.0.0.1'])
      statuses.push((await call('/api/v1/turns', { authorization, ...from(address) })).status)
    // What the client wrote before the proxy did counts for nothing.
    statuses.push((await call('/api/v1/turns', { authorization, ...from('198.51.100.7, 203.0.113.1') })).status)
    expect(statuses).toEqual([200, 200, 200, 403, 403, 403])
    const open = (address: string) =>
      new Promise<number>((resolve) => {
        const socket = new WebSocket(`${muxi.url.replace('https', 'wss')}/api/v1/ws`, {
          ca,
          headers: { authorization, ...from(address) },
        })
        socket.on('close', resolve)
        socket.on('open', () => socket.send(JSON.stringify({ type: 'ping', id: '1', data: {} })))
        socket.on('message', () => socket.close(4000))
      })
    expect([await open('198.51.100.7'), await open('203.0.113.1')]).toEqual([4000, 4401])
    await expect
      .poll(async () =>
        (await call('/api/v1/audit', from('192.0.2.1'))).body.entries.map(
          (entry: { address: string }) => entry.address,
        ),
      )
      .toEqual(expect.arrayContaining(['192.0.2.1', '203.0.113.1']))
  })

  it(keeps('edge.admin', 'the scope admin is for its networks only; the others of the key are not'), async () => {
    expect((await call('/api/v1/keys', from('192.0.2.1'))).status).toBe(200)
    const refused = await call('/api/v1/keys', from('203.0.113.1'))
    expect([refused.status, refused.body.error.message]).toEqual([403, expect.stringContaining('MUXI_ADMIN_NETWORKS')])
    expect((await call('/api/v1/agents', from('203.0.113.1'))).status).toBe(200)
  })
})

it(keeps('edge.admin', 'the networks of admin count without keys too'), async () => {
  const open = await openStage()
  const { url } = await open.start('api', { env: { MUXI_API_KEY: 'false', MUXI_ADMIN_NETWORKS: '192.0.2.0/24' } })
  expect((await fetch(`${url}/api/v1/keys`)).status).toBe(403)
  expect((await fetch(`${url}/api/v1/agents`)).status).toBe(200)
  await open.close()
})
