// GET /system/status and /system/usage: what operators read, over two processes and a restart.
import { beforeAll, expect, it } from 'vitest'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let first: Muxi
let second: Muxi
beforeAll(async () => {
  stage = await openStage()
  first = await stage.start('all')
  second = await stage.start('api')
  return () => stage.close()
})

it(keeps('system.status', 'of a healthy process'), async () => {
  const socket = await stage.socket(second.url)
  const { body } = await stage.call(second.url, '/api/v1/system/status')
  expect(body).toEqual({
    status: 'healthy',
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    uptime_seconds: expect.any(Number),
    active_agents: 2,
    active_connections: 1,
    memory_usage_mb: expect.any(Number),
    database_status: 'ok',
    temporal_status: 'ok',
    workers: 1,
    embedding: expect.anything(),
    models: {},
  })
  socket.close()
})

it(keeps('system.usage', 'in the last hour as in the last month'), async () => {
  const usage = async (period: string, url = first.url) =>
    (await stage.call(url, `/api/v1/system/usage?period=${period}`)).body
  const cue = stage.model.script({ say: 'Hello.' })
  await (await stage.chat(first.url, cue, { user_id: 'anna' })).untilFinal()
  for (const [user_id, url] of [
    ['bert', first.url],
    ['bert', second.url],
  ] as const)
    await stage.call(url, '/api/v1/agents/offline/chat', { body: { content: 'Hello', user_id } })
  for (let n = 0; n < 5; n += 1) await stage.call(second.url, `/api/v1/agents/unknown-${n}`)
  await stage.call(second.url, '/api/v1/agents', { key: 'sk_muxi_wrong' })
  await stage.call(second.url, '/api/v1/nowhere')
  const expected = {
    endpoints: expect.objectContaining({
      'POST /api/v1/agents/{agent_id}/chat/stream': 1,
      'POST /api/v1/agents/{agent_id}/chat': 2,
      'GET /api/v1/agents/{agent_id}': 5,
    }),
    agent_usage: { offline: 2, scripted: 1 },
    user_count: 2,
    cost_usd: expect.any(Number),
  }
  // The other process adds what it has counted within a second.
  await expect.poll(() => usage('last_hour')).toMatchObject(expected)
  await second.kill()
  await first.kill()
  first = await stage.start('all')
  const after = await usage('last_30d')
  expect(after).toMatchObject({ period: 'last_30d', ...expected })
  expect(after.tokens).toBeGreaterThan(0)
  expect(after.total_requests).toBe(Object.values<number>(after.endpoints).reduce((sum, count) => sum + count))
  expect(Object.keys(after.endpoints).join()).not.toMatch(/unknown|nowhere/)
  expect((await stage.call(first.url, '/api/v1/system/usage?period=yesterday')).status).toBe(400)
})

it(keeps('system.metrics', 'of requests, turns, tokens, readers and the process'), async () => {
  const cue = stage.model.script({ say: 'Hello.' })
  await (await stage.chat(first.url, cue, { user_id: 'anna_of_metrics' })).untilFinal()
  await stage.call(first.url, '/api/v1/agents/scripted')
  await stage.call(first.url, '/api/v1/agents/unknown_to_metrics')
  const socket = await stage.socket(first.url)
  const read = async (authorization = `Bearer ${stage.key}`) => {
    const answer = await fetch(`${first.url}/metrics`, { headers: { authorization } })
    return { status: answer.status, text: await answer.text(), type: answer.headers.get('content-type') }
  }
  const { text, type } = await read()
  expect(type).toMatch(/^text\/plain; version=0\.0\.4/)
  for (const line of [
    'muxi_http_requests_total{route="/api/v1/agents/{agent_id}",method="GET",status="200"} 1',
    'muxi_http_requests_total{route="/api/v1/agents/{agent_id}",method="GET",status="404"} 1',
    'muxi_turns_ended_total{status="completed"} 1',
    'muxi_streams_open{kind="websocket"} 1',
    'muxi_up{part="temporal"} 1',
  ])
    expect(text.split('\n')).toContain(line)
  const tokens = /^muxi_model_tokens_total\{provider="openai",model="[^"]+",direction="output"\} (\d+)$/m.exec(text)
  expect(Number(tokens?.[1])).toBeGreaterThan(0)
  // Every line is a comment or a sample, and no label lists one client.
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  for (const sample of samples)
    expect(sample).toMatch(/^muxi_[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?[\d.e+-]+$/)
  expect(text).not.toMatch(/anna_of_metrics|unknown_to_metrics|(turn|conv|key|msg)_[0-9a-f]{6}/)
  expect(samples.length).toBeLessThan(2_000)
  expect((await read()).text).toContain('muxi_event_loop_delay_seconds{quantile="0.99"}')
  socket.close()
  const { key } = (await stage.call(first.url, '/api/v1/keys', { body: { name: 'chats', scopes: ['chat'] } })).body
  const reader = (await stage.call(first.url, '/api/v1/keys', { body: { name: 'reads', scopes: ['read'] } })).body
  const statuses = [await read(`Bearer ${key}`), await read(`Bearer ${reader.key}`), await read('')]
  expect(statuses.map(({ status }) => status)).toEqual([403, 200, 401])
})
