// The live feed: what changes in lists is told within a second, from any process, to those who may see it.
import { beforeAll, expect, it } from 'vitest'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { Stopwatch } from '../support/stopwatch.ts'
import { SseClient, type SeenEvent } from '../support/sse-client.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let muxi: Muxi
/** Another process, from which changes are read. */
let other: Muxi
const keys = { anna: '', bert: '', read: '' }

beforeAll(async () => {
  stage = await openStage()
  muxi = await stage.start('all')
  other = await stage.start('api')
  const make = async (fields: object) => (await api('/keys', { name: 'a key', ...fields })).body.key
  keys.anna = await make({ scopes: ['chat'], user_id: 'anna' })
  keys.bert = await make({ scopes: ['chat'], user_id: 'bert' })
  keys.read = await make({ scopes: ['read'] })
  return () => stage.close()
})

const api = (path: string, body?: object, method?: string) =>
  stage.call(muxi.url, `/api/v1${path}`, { body, ...(method !== undefined && { method }) })

/** What the other process shows. */
const shown = async (path: string) => (await stage.call(other.url, `/api/v1${path}`)).body

/** Follows changes in the other process. */
const follow = (topics?: string, key = stage.key) =>
  SseClient.open(`${other.url}/api/v1/events${topics === undefined ? '' : `?topics=${topics}`}`, {
    headers: { authorization: `Bearer ${key}` },
  })

const of = (topic: string, id: string, op?: string) => (event: SeenEvent) =>
  event.data.topic === topic && event.data.id === id && (op === undefined || event.data.op === op)

it(keeps('feed.changes', 'a turn with its conversation, in the form of their lists, within a second'), async () => {
  const feed = await follow('conversations,turns')
  const began = new Stopwatch()
  const id = await stage.conversation(muxi.url)
  const created = await feed.waitFor(of('conversations', id))
  expect(created.type).toBe('changed')
  expect(began.undisturbed(created.at)).toBeLessThan(1_000)
  const stream = await stage.chat(muxi.url, stage.model.script({ say: 'Words.' }), { conversation_id: id })
  await stream.untilFinal()
  const { turn_id } = stream.events[0]!.data
  const done = await feed.waitFor((event) => of('turns', turn_id)(event) && event.data.item.status === 'completed')
  const turns = (await shown('/turns?limit=1')).turns
  expect(done.data).toEqual({ topic: 'turns', id: turn_id, op: expect.any(String), item: turns[0] })
  const used = await feed.waitFor((event) => of('conversations', id)(event) && event.data.item.last_message_at !== null)
  expect(used.data.item).toMatchObject({ id, title: expect.any(String) })
  await api(`/conversations/${id}`, { title: 'Boats' }, 'PATCH')
  const renamed = await feed.waitFor((event) => of('conversations', id)(event) && event.data.item.title === 'Boats')
  expect(renamed.data.item).toEqual((await shown('/conversations?limit=1')).conversations[0])
  await api(`/conversations/${id}`, undefined, 'DELETE')
  const deleted = await feed.waitFor(of('conversations', id, 'deleted'))
  expect(deleted.data.item).toBeNull()
  feed.cut()
})

it(keeps('feed.changes', 'approvals, jobs and agents'), async () => {
  const feed = await follow()
  const file_id = await stage.upload(muxi.url, 'tea.txt', 'Tea.')
  const { body: job } = await api('/jobs', { kind: 'document', file_id })
  const completed = await feed.waitFor((event) => of('jobs', job.id)(event) && event.data.item.status === 'completed')
  expect(completed.data.item).toEqual(await shown(`/jobs/${job.id}`))
  const agent = {
    id: 'fresh',
    description: 'Fresh.',
    system_message: 'x',
    model: { provider: 'offline', model: 'offline' },
  }
  await api('/agents', agent)
  const made = await feed.waitFor(of('agents', 'fresh', 'created'))
  expect((await shown('/agents')).agents).toContainEqual(made.data.item)
  feed.cut()
})

it(keeps('feed.owner', "a key sees its user's changes only, and the topics of its scopes"), async () => {
  const [anna, read, all] = [await follow(undefined, keys.anna), await follow(undefined, keys.read), await follow()]
  const ids: Record<string, string> = {}
  for (const user_id of ['bert', 'anna']) ids[user_id] = await stage.conversation(muxi.url, { user_id })
  await anna.waitFor(of('conversations', ids['anna']!))
  await all.waitFor(of('conversations', ids['anna']!))
  expect(all.events.some(of('conversations', ids['bert']!))).toBe(true)
  expect(anna.events.map(({ data }) => data.item.user_id)).toEqual(['anna'])
  expect(read.events).toEqual([])
  const refused = async (query: string, key: string) =>
    (await stage.call(muxi.url, `/api/v1/events?topics=${query}`, { key })).status
  expect(await refused('agents', keys.anna)).toBe(403)
  expect(await refused('turns', keys.read)).toBe(403)
  expect(await refused('turns,nonsense', keys.anna)).toBe(400)
  for (const client of [anna, read, all]) client.cut()
})

it(
  keeps('feed.revoked', 'ends when its key is deleted, and what a forgotten user had is told as deleted'),
  async () => {
    const [bert, all] = [await follow(undefined, keys.bert), await follow('conversations')]
    const id = await stage.conversation(muxi.url, { user_id: 'bert' })
    await bert.waitFor(of('conversations', id))
    expect((await api('/users/bert', undefined, 'DELETE')).status).toBe(200)
    await all.waitFor(of('conversations', id, 'deleted'))
    expect(await bert.ended).toBe('ended')
    all.cut()
  },
)
