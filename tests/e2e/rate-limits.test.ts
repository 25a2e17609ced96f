// Limits of requests, as clients meet them: over two API processes, over REST and the WebSocket.
import { beforeAll, expect, it } from 'vitest'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let first: Muxi
let second: Muxi
/** Uses up its bucket of writes. */
let writer: string
beforeAll(async () => {
  stage = await openStage({
    env: {
      MUXI_RATE_CHAT: '3/3600',
      MUXI_RATE_WRITE: '30/3600',
      MUXI_RATE_READ: '6000/60',
      MUXI_RATE_WRONG_KEY: '5/3600',
    },
  })
  first = await stage.start('all')
  second = await stage.start('api')
  writer = (await stage.call(first.url, '/api/v1/keys', { body: { name: 'w', scopes: ['admin'] } })).body.key
  return () => stage.close()
})

it(keeps('limits.exact', 'with the headers of the standard'), async () => {
  const sent = Array.from({ length: 60 }, (_, n) =>
    stage.call((n % 2 ? first : second).url, '/api/v1/conversations', { body: { agent_id: 'offline' }, key: writer }),
  )
  const answers = await Promise.all(sent)
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(30)
  const refused = answers.find(({ status }) => status === 429)!
  expect(refused.body.error).toMatchObject({ code: 'rate_limited', details: { class: 'write' } })
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(60)
  expect(refused.headers.get('ratelimit-policy')).toBe('"write";q=30;w=3600')
  expect(refused.headers.get('ratelimit')).toMatch(/^"write";r=0;t=\d+$/)
  // Reads have a bucket of their own, which is not near its end.
  const read = await stage.call(first.url, '/api/v1/agents')
  expect(read.status).toBe(200)
  expect(read.headers.get('ratelimit-policy')).toBe('"read";q=6000;w=60')
})

it(keeps('limits.exact', 'and messages count over every way in'), async () => {
  const reply = await stage.call(first.url, '/api/v1/agents/offline/chat', { body: { content: 'one' } })
  expect(reply.headers.get('ratelimit')).toMatch(/^"chat";r=2;/)
  const stream = await stage.chat(second.url, 'two', { agent: 'offline' })
  expect(stream.response.headers.get('ratelimit')).toMatch(/^"chat";r=1;/)
  await stream.untilFinal()
  const socket = await stage.socket(second.url)
  socket.send('chat', 'a', { agent_id: 'offline', content: 'three', background: true })
  expect((await socket.waitFor(({ id }) => id === 'a')).type).toBe('accepted')
  socket.send('chat', 'b', { agent_id: 'offline', content: 'four' })
  expect(await socket.waitFor(({ id }) => id === 'b')).toMatchObject({ type: 'error', data: { code: 'rate_limited' } })
  socket.close()
  expect((await stage.call(first.url, '/api/v1/chat', { body: { content: 'five' } })).status).toBe(429)
})

it(keeps('limits.wrong-key', 'while the right one goes on'), async () => {
  const tries = Array.from({ length: 12 }, (_, n) =>
    stage.call((n % 2 ? first : second).url, '/api/v1/agents', { key: `sk_muxi_${n}` }),
  )
  const statuses = (await Promise.all(tries)).map(({ status }) => status)
  expect(statuses.filter((status) => status === 401)).toHaveLength(5)
  expect(statuses.filter((status) => status === 429)).toHaveLength(7)
  expect((await stage.call(first.url, '/api/v1/agents')).status).toBe(200)
})

it(keeps('limits.key', "in place of the operator's, told by headers and by GET /key, with its last use"), async () => {
  const rate_limits = { read: { requests: 3, seconds: 3600 } }
  const { status, body, text } = await stage.call(second.url, '/api/v1/keys', {
    body: { name: 'slow', scopes: ['chat', 'read'], rate_limits },
  })
  expect(status, text).toBe(201)
  expect(body).toMatchObject({ rate_limits, last_used_at: null })
  const { key } = body
  const seen = await stage.call(first.url, '/api/v1/key', { key })
  expect(seen.body.rate_limits).toEqual(rate_limits)
  expect(seen.headers.get('ratelimit-policy')).toBe('"read";q=3;w=3600')
  const statuses = []
  for (const { url } of [first, second, first]) statuses.push((await stage.call(url, '/api/v1/agents', { key })).status)
  expect(statuses).toEqual([200, 200, 429])
  const listed = async () =>
    (await stage.call(first.url, '/api/v1/keys')).body.keys.find(({ id }: { id: string }) => id === body.id)
  await expect.poll(async () => (await listed()).last_used_at).toMatch(/Z$/)
  expect((await stage.call(first.url, '/api/v1/agents')).headers.get('ratelimit-policy')).toBe('"read";q=6000;w=60')
  const wrong = { name: 'x', scopes: ['chat'], rate_limits: { read: { requests: 0, seconds: 1 } } }
  expect((await stage.call(first.url, '/api/v1/keys', { body: wrong })).status).toBe(400)
})
