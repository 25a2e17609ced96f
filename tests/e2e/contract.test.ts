// Lines of the contract that no other test covers: what an agent and a user said, and the log over all turns.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let muxi: Muxi
beforeAll(async () => {
  stage = await openStage()
  muxi = await stage.start('all')
  return () => stage.close()
})
afterEach(() => stage.check())

const call = (path: string, body?: object) => stage.call(muxi.url, `/api/v1${path}`, { body })

const say = async (content: string, fields: object = {}) => {
  const { status, body, text } = await call('/agents/offline/chat', { content, ...fields })
  expect(status, text).toBe(200)
  return body
}

it(keeps('threads.exchanges', 'newest first, before one, in one conversation, until they are cleared'), async () => {
  const path = '/agents/offline/conversations'
  const first = await say('one', { user_id: 'anna' })
  const other = await stage.conversation(muxi.url, { agent_id: 'offline', user_id: 'anna' })
  const second = await say('two', { user_id: 'anna', conversation_id: other })
  await say('of another user')
  const { body: all } = await call(`${path}?user_id=anna`)
  expect(all.messages.map((each: { id: string }) => each.id)).toEqual([second.id, first.id])
  const { usage: _usage, ...exchange } = first
  expect(all).toEqual({ messages: [expect.anything(), exchange], has_more: false })
  expect((await call(`${path}?user_id=anna&limit=1`)).body).toMatchObject({
    messages: [{ id: second.id }],
    has_more: true,
  })
  const older = await call(`${path}?user_id=anna&limit=1&before=${second.id}`)
  expect(older.body).toEqual({ messages: [exchange], has_more: false })
  const one = await call(`${path}?user_id=anna&conversation_id=${other}`)
  expect(one.body.messages.map((each: { id: string }) => each.id)).toEqual([second.id])
  expect((await call(`${path}?before=${second.id}`)).status).toBe(404)
  expect((await call('/agents/nobody/conversations')).status).toBe(404)
  expect((await call(`${path}?cursor=x`)).status).toBe(400)
  const { body: cleared } = await stage.call(muxi.url, `/api/v1${path}?user_id=anna`, { method: 'DELETE' })
  expect(cleared).toEqual({ status: 'cleared', agent_id: 'offline', user_id: 'anna', message_count: 4 })
  expect((await call(`${path}?user_id=anna`)).body).toEqual({ messages: [], has_more: false })
  expect((await call(path)).body.messages).toHaveLength(1)
})

it(keeps('log.all', 'newest first, by agent, user, kind, status and time, and a page after another'), async () => {
  const before = new Date().toISOString()
  const turns = [(await say('one', { user_id: 'bert' })).turn_id, (await say('two', { user_id: 'carl' })).turn_id]
  const { body } = await call(`/logs?since=${before}&kind=model_call&limit=1`)
  expect(body).toMatchObject({
    entries: [
      { turn_id: turns[1], agent_id: 'offline', user_id: 'carl', kind: 'model_call', status: 'completed', attempt: 1 },
    ],
    has_more: true,
  })
  const next = await call(`/logs?since=${before}&kind=model_call&limit=1&cursor=${body.next_cursor}`)
  expect(next.body).toMatchObject({ entries: [{ turn_id: turns[0] }], has_more: false, next_cursor: null })
  const { body: ofTurn } = await call(`/turns/${turns[0]}/log`)
  const { body: ofUser } = await call('/logs?user_id=bert&agent_id=offline&status=completed')
  const owner = { turn_id: turns[0], agent_id: 'offline', user_id: 'bert' }
  expect(ofUser.entries.toReversed()).toEqual(ofTurn.entries.map((entry: object) => ({ ...owner, ...entry })))
  expect((await call('/logs?agent_id=scripted')).body.entries).toEqual([])
  const bound = await call('/keys', { name: 'bound', scopes: ['chat'], user_id: 'carl' })
  const seen = await stage.call(muxi.url, '/api/v1/logs', { key: bound.body.key })
  expect(new Set(seen.body.entries.map((entry: { turn_id: string }) => entry.turn_id))).toEqual(new Set([turns[1]]))
  const times = ['yesterday', '2026-11-29', '2026-13-45T99:99:99Z', '2026-02-30T00:00:00Z', '2026-02-01T24:00:00Z']
  for (const query of [...times.map((time) => `since=${time}`), 'kind=x', 'status=done', 'limit=101'])
    expect((await call(`/logs?${query}`)).status, query).toBe(400)
  for (const time of times) {
    const refused = await call(`/audit?since=${time}`)
    expect([refused.status, refused.body.error?.details.fields[0].path], time).toEqual([400, 'since'])
  }
  for (const time of [before, '2026-02-28T23:59:59.5-12:00'])
    for (const path of ['/logs', '/audit'])
      expect((await call(`${path}?since=${encodeURIComponent(time)}`)).status, time).toBe(200)
})

it('every response has a request id: pages, streams, downloads, empty ones and refusals', async () => {
  const { turn_id, conversation_id } = await say('one')
  const file = await stage.upload(muxi.url, 'tea.txt', 'Tea.')
  const paths = [
    '/',
    '/docs',
    '/openapi.json',
    '/healthz',
    '/readyz',
    '/v1/models',
    '/v1/nowhere',
    '/nowhere',
    '/mcp',
    '/api/v1/agents/offline/export',
    `/api/v1/files/${file}/content`,
    '/api/v1/nowhere',
    '/oauth/callback',
    `/api/v1/turns/${turn_id}/stream`,
    `/api/v1/turns/${turn_id}/log/stream`,
    `/api/v1/conversations/${conversation_id}/export?format=md`,
    '/api/v1/chat/ui/nothing/stream',
    '/api/v1/ws',
  ]
  const missing: string[] = []
  const look = async (path: string, init: RequestInit = {}) => {
    const authorization = `Bearer ${stage.key}`
    const { headers, status, body } = await fetch(`${muxi.url}${path}`, {
      redirect: 'manual',
      ...init,
      headers: { authorization, ...(init.headers as Record<string, string> | undefined) },
    })
    await body?.cancel()
    if (!headers.get('x-request-id')?.startsWith('req_')) missing.push(`${init.method ?? 'GET'} ${path}: ${status}`)
    return headers
  }
  for (const path of paths) {
    const etag = (await look(path)).get('etag')
    if (etag !== null) await look(path, { headers: { 'if-none-match': etag } })
    await look(path, { method: 'HEAD' })
  }
  await look('/api/v1/agents', { method: 'OPTIONS', headers: { origin: 'http://localhost:3000' } })
  await look('/api/v1/agents', { headers: { origin: 'https://evil.example' } })
  await look('/api/v1/files/uploads', { method: 'OPTIONS', headers: { 'tus-resumable': '1.0.0' } })
  await look('/api/v1/files/uploads', {
    method: 'POST',
    headers: { 'tus-resumable': '1.0.0', 'upload-length': '5' },
  })
  expect(missing).toEqual([])
})
