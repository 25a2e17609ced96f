// Limits of requests, as clients meet them: over two API processes, over REST and the WebSocket.
import { beforeAll, expect, it } from 'vitest'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let first: Muxi
let second: Muxi
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
  return () => stage.close()
})

it(keeps('limits.exact', 'with the headers of the standard'), async () => {
  const sent = Array.from({ length: 60 }, (_, n) =>
    stage.call((n % 2 ? first : second).url, '/api/v1/conversations', { body: { agent_id: 'offline' } }),
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
