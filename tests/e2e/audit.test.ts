// The audit as an operator reads it.
import { beforeAll, expect, it } from 'vitest'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let muxi: Muxi
let key: { id: string; secret: string }
beforeAll(async () => {
  stage = await openStage()
  muxi = await stage.start('all')
  const { body } = await stage.call(muxi.url, '/api/v1/keys', {
    body: { name: 'bert', scopes: ['chat', 'manage'], user_id: 'bert' },
  })
  key = { id: body.id, secret: body.key }
  return () => stage.close()
})

interface Entry {
  action: string
  path: string
  status: number
  key_id: string | null
  user_hash: string | null
  address: string
  request_id: string | null
  count: number
}

const audit = async (query: string): Promise<Entry[]> =>
  (await stage.call(muxi.url, `/api/v1/audit?limit=100&${query}`)).body.entries

it(keeps('audit.complete', 'reads are left out, and a user stands there without its id'), async () => {
  const as = (path: string, more = {}) => stage.call(muxi.url, `/api/v1${path}`, { key: key.secret, ...more })
  const created = await as('/conversations', { body: { agent_id: 'offline' } })
  expect(created.status).toBe(201)
  await as('/turns')
  await as(`/conversations/${created.body.id}`, { method: 'DELETE' })
  await as('/conversations', { body: { agent_id: 'nobody' } })
  await as('/audit')
  await as('/users/bert/context_memory', { body: { knowledge: { likes: 'tea' } } })
  const socket = await stage.socket(muxi.url, key.secret)
  socket.send('chat', 'a', { agent_id: 'offline', content: 'Hello', background: true })
  await socket.waitFor(({ id }) => id === 'a')
  socket.close()

  const entries = () => audit(`key_id=${key.id}`)
  await expect.poll(entries).toHaveLength(6)
  const found = (await entries()).toReversed()
  const [hash] = found.map(({ user_hash }) => user_hash)
  expect(hash).toMatch(/^[0-9a-f]{16,}$/)
  expect(found.map(({ action, path, status }) => [action, path, status])).toEqual([
    ['POST', '/api/v1/conversations', 201],
    ['DELETE', `/api/v1/conversations/${created.body.id}`, 200],
    ['POST', '/api/v1/conversations', 404],
    ['GET', '/api/v1/audit', 403],
    ['POST', `/api/v1/users/${hash}/context_memory`, 201],
    ['ws chat', '/api/v1/ws', 202],
  ])
  expect(found[0]).toMatchObject({ key_id: key.id, address: '127.0.0.1', count: 1 })
  expect(found[0]!.request_id).toBe(created.headers.get('x-request-id'))
  expect(JSON.stringify(found)).not.toContain('bert')
  expect((await audit(`key_id=${key.id}&refused=true`)).map(({ status }) => status)).toEqual([403, 404])
})

it(keeps('audit.refusals', 'counted, so that they do not fill the disk'), async () => {
  const tries = Array.from({ length: 40 }, (_, n) => stage.call(muxi.url, `/api/v1/turns?x=${n}`, { key: `sk_${n}` }))
  expect((await Promise.all(tries)).every(({ status }) => status === 401)).toBe(true)
  const refused = async () => (await audit('refused=true')).filter(({ status }) => status === 401)
  const sum = async () => (await refused()).reduce((all, { count }) => all + count, 0)
  await expect.poll(sum).toBe(40)
  expect((await refused()).length).toBeLessThan(20)
  expect((await refused())[0]).toMatchObject({ key_id: null, path: '/api/v1/turns' })
})
