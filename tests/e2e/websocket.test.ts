// The WebSocket: the same events with the same ids as over SSE.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { HeldReply } from '../support/held-reply.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { type SeenFrame, WsClient } from '../support/ws-client.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let muxi: Muxi
beforeAll(async () => {
  stage = await openStage()
  muxi = await stage.start('all')
  return () => stage.close()
})
afterEach(async () => {
  stage.model.assertUsed()
  await stage.check()
})

const FINAL = new Set(['chat_end', 'cancelled', 'error'])
const SSE_NAME: Record<string, string> = {
  chat_start: 'message_start',
  chat_content: 'content',
  chat_end: 'message_end',
}

/** A frame of a turn as it would stand in an event stream. */
function toEvent({ type, data: { event_id, message_id, ...data } }: SeenFrame) {
  const kept = type === 'accepted' ? { ...data, message_id } : data
  return { id: event_id, type: SSE_NAME[type] ?? type, data: kept }
}

const ended = (socket: WsClient, id: string) => socket.waitFor((frame) => frame.id === id && FINAL.has(frame.type))

it(keeps('ws.chat', 'two turns at once on one socket, each with the events of its stream'), async () => {
  const socket = await stage.socket(muxi.url)
  const cues = {
    a: stage.model.script(
      { say: 'I look. ', call: [{ name: 'current_time', arguments: {} }] },
      { say: manyWords('a', 30), pieces_per_second: 100 },
    ),
    b: stage.model.script({ say: manyWords('b', 30), pieces_per_second: 100 }),
  }
  for (const [id, content] of Object.entries(cues)) {
    socket.send('chat', id, { agent_id: 'scripted', content, conversation_id: await stage.conversation(muxi.url) })
  }
  for (const id of ['a', 'b']) {
    await ended(socket, id)
    const frames = socket.frames.filter((frame) => frame.id === id)
    expect(frames[0]?.type).toBe('accepted')
    const replay = await stage.follow(muxi.url, frames[0]!.data.turn_id)
    await replay.ended
    expect(frames.map(toEvent)).toEqual(replay.events.map(({ at: _, ...event }) => event))
    expect(frames.find(({ type }) => type === 'chat_start')?.data.message_id).toMatch(/^msg_/)
  }
  socket.close()
})

it(
  keeps('ws.chat', 'a message under an idempotency key is one turn, in the background it is accepted only'),
  async () => {
    const socket = await stage.socket(muxi.url)
    const content = stage.model.script({ say: 'Once.' })
    const data = {
      agent_id: 'scripted',
      content,
      idempotency_key: 'ws-1',
      conversation_id: await stage.conversation(muxi.url),
    }
    socket.send('chat', 'one', data)
    socket.send('chat', 'two', data)
    const [one, two] = [await ended(socket, 'one'), await ended(socket, 'two')]
    expect(one.data).toEqual(two.data)
    socket.send('chat', 'later', { agent_id: 'offline', content: 'Hello', background: true })
    const accepted = await socket.waitFor(({ id }) => id === 'later')
    expect([accepted.type, accepted.data.turn_id]).toEqual(['accepted', expect.stringMatching(/^turn_/)])
    await (await stage.follow(muxi.url, accepted.data.turn_id)).untilFinal()
    socket.close()
  },
)

it(keeps('ws.resume', 'goes on after an event that was seen over SSE, and tells a finished turn again'), async () => {
  const held = new HeldReply()
  const cue = stage.model.script({ say: manyWords('word', 80), held })
  const stream = await stage.chat(muxi.url, cue, { conversation_id: await stage.conversation(muxi.url) })
  await stream.shows('word-9 ')
  stream.cut()
  await stream.ended
  const turn_id = stream.events[0]!.data.turn_id
  const socket = await stage.socket(muxi.url)
  socket.send('resume', 'r', { turn_id, after: stream.lastId })
  held.release()
  await ended(socket, 'r')
  const replay = await stage.follow(muxi.url, turn_id)
  await replay.ended
  const seen = [...stream.events.map(({ at: _, ...event }) => event), ...socket.frames.map(toEvent)]
  expect(seen).toEqual(replay.events.map(({ at: _, ...event }) => event))
  socket.send('resume', 'whole', { turn_id })
  await ended(socket, 'whole')
  expect(socket.frames.filter(({ id }) => id === 'whole').map(toEvent)).toEqual(
    replay.events.map(({ at: _, ...event }) => event),
  )
  socket.close()
})

it(keeps('ws.ids', 'which is free again at its end'), async () => {
  const held = new HeldReply()
  const cue = stage.model.script({ say: manyWords('word', 20), held })
  const socket = await stage.socket(muxi.url)
  const conversation_id = await stage.conversation(muxi.url)
  socket.send('chat', 'one', { agent_id: 'scripted', content: cue, conversation_id })
  const { turn_id } = (await socket.waitFor(({ type }) => type === 'accepted')).data
  socket.send('chat', 'one', { agent_id: 'offline', content: 'Hello' })
  socket.send('resume', 'one', { turn_id })
  await socket.waitFor(() => socket.frames.filter(({ type }) => type === 'error').length === 2)
  for (const { id, data } of socket.frames.filter(({ type }) => type === 'error'))
    expect([id, data]).toMatchObject(['', { code: 'conflict', details: { id_in_use: 'one' } }])
  held.release()
  expect((await ended(socket, 'one')).type).toBe('chat_end')
  expect(socket.frames.filter(({ type }) => type === 'accepted')).toHaveLength(1)
  socket.send('resume', 'one', { turn_id })
  await socket.waitFor(() => socket.frames.filter(({ type }) => type === 'chat_end').length === 2)
  expect(socket.frames.filter(({ type }) => type === 'accepted')).toHaveLength(2)
  socket.close()
})

it(keeps('ws.cancel', 'stops a turn of another connection; both see it end'), async () => {
  const cue = stage.model.script({ say: manyWords('word', 1_000), pieces_per_second: 40 })
  const [one, other] = [await stage.socket(muxi.url), await stage.socket(muxi.url)]
  one.send('chat', 'c', { agent_id: 'scripted', content: cue, conversation_id: await stage.conversation(muxi.url) })
  const start = await one.waitFor(({ type }) => type === 'chat_content')
  expect(start.data.step).toBe(1)
  const { turn_id } = one.frames[0]!.data
  other.send('cancel', 'stop', { turn_id })
  expect((await other.waitFor(({ id }) => id === 'stop')).type).toBe('cancelled')
  expect((await ended(one, 'c')).type).toBe('cancelled')
  other.send('cancel', 'again', { turn_id })
  expect((await other.waitFor(({ id }) => id === 'again')).data.code).toBe('conflict')
  one.close()
  other.close()
})

it(
  keeps('ws.subscribe', 'several subscriptions at once; one under the same id takes the place of the former'),
  async () => {
    const socket = await stage.socket(muxi.url)
    const subscribed = (id: string, topics: string[]) =>
      socket.waitFor(
        (frame) => frame.id === id && frame.type === 'subscribed' && frame.data.topics.join() === topics.join(),
      )
    for (const [id, topics] of [
      ['a', ['conversations']],
      ['b', ['turns']],
    ] as const) {
      socket.send('subscribe', id, { topics })
      await subscribed(id, [...topics])
    }
    const conversation_id = await stage.conversation(muxi.url)
    const changed = (id: string, item: string) =>
      socket.waitFor((frame) => frame.id === id && frame.type === 'changed' && frame.data.id === item)
    const { data } = await changed('a', conversation_id)
    expect(data).toMatchObject({ topic: 'conversations', op: 'created', item: { id: conversation_id } })
    const stream = await stage.chat(muxi.url, stage.model.script({ say: 'Words.' }), { conversation_id })
    await stream.untilFinal()
    await changed('b', stream.events[0]!.data.turn_id)
    socket.send('subscribe', 'a', { topics: [] })
    await subscribed('a', [])
    const other = await stage.conversation(muxi.url)
    socket.send('subscribe', 'c', { topics: ['conversations'] })
    await subscribed('c', ['conversations'])
    const last = await stage.conversation(muxi.url)
    await changed('c', last)
    expect(socket.frames.filter(({ id, data: { id: item } }) => id === 'a' && [other, last].includes(item))).toEqual([])
    expect(socket.frames.filter(({ id, data: { topic } }) => id === 'b' && topic === 'conversations')).toEqual([])
    socket.send('subscribe', 'd', { topics: ['nonsense'] })
    expect((await socket.waitFor(({ id }) => id === 'd')).data.code).toBe('bad_request')
    const { body } = await stage.call(muxi.url, '/api/v1/keys', { body: { name: 'reader', scopes: ['read'] } })
    const reader = await stage.socket(muxi.url, body.key)
    reader.send('subscribe', 'agents', { topics: ['agents'] })
    expect((await reader.waitFor(({ id }) => id === 'agents')).type).toBe('subscribed')
    reader.send('subscribe', 'turns', { topics: ['turns'] })
    expect((await reader.waitFor(({ id }) => id === 'turns')).data.code).toBe('forbidden')
    for (const each of [socket, reader]) each.close()
  },
)

it(keeps('ws.attachments', 'inline and by file id, also without text'), async () => {
  const socket = await stage.socket(muxi.url)
  const file_id = await stage.upload(muxi.url, 'boats.txt', 'The boat house.')
  const inline = { type: 'text/plain', name: 'tides.txt', data: Buffer.from('The spring tide.').toString('base64') }
  const attachments = [inline, { type: 'text/plain', name: 'boats.txt', file_id }]
  const conversation_id = await stage.conversation(muxi.url, { agent_id: 'offline' })
  socket.send('chat', 'c', { agent_id: 'offline', content: '', conversation_id, attachments })
  expect((await ended(socket, 'c')).type).toBe('chat_end')
  const { body } = await stage.call(muxi.url, `/api/v1/conversations/${conversation_id}/messages`)
  const asked = body.messages.find(({ role }: { role: string }) => role === 'user')
  expect(asked.attachments.map(({ name }: { name: string }) => name)).toEqual(['tides.txt', 'boats.txt'])
  socket.close()
})

it(keeps('ws.audio', 'and binary frames'), async () => {
  const socket = await stage.socket(muxi.url)
  for (const type of ['audio_start', 'audio_chunk', 'audio_end']) {
    socket.send(type, type, { format: 'pcm16', sample_rate: 16_000 })
    const { data } = await socket.waitFor(({ id }) => id === type)
    expect([data.code, data.message]).toEqual(['bad_request', expect.stringContaining('has no live audio')])
  }
  socket.socket.send(Buffer.alloc(1_000, 7), { binary: true })
  expect((await socket.waitFor(({ id }) => id === '')).data.code).toBe('bad_request')
  socket.send('ping', 'p')
  expect((await socket.waitFor(({ id }) => id === 'p')).type).toBe('pong')
  socket.close()
})

it(keeps('ws.ticket', 'opens one socket, once; a key in the address opens any number'), async () => {
  const { body, status } = await stage.call(muxi.url, '/api/v1/ws/tickets', { method: 'POST' })
  expect(status).toBe(201)
  const url = `${muxi.url}/api/v1/ws`
  const first = await WsClient.open(`${url}?ticket=${body.ticket}`)
  first.send('ping', 'p')
  expect((await first.waitFor(({ id }) => id === 'p')).type).toBe('pong')
  expect(await new WsClient(`${url}?ticket=${body.ticket}`).closesWith()).toBe(4401)
  const keyed = await WsClient.open(`${url}?api_key=${stage.key}`)
  keyed.send('ping', 'p')
  expect((await keyed.waitFor(({ id }) => id === 'p')).type).toBe('pong')
  first.close()
  keyed.close()
})

it(keeps('ws.ping', 'is answered, and a server that goes down closes its sockets with 1012'), async () => {
  const api = await stage.start('api')
  const socket = await stage.socket(api.url)
  socket.send('ping', 'p', {})
  expect(await socket.waitFor(({ id }) => id === 'p')).toEqual({ type: 'pong', id: 'p', data: {} })
  const stopping = api.stop()
  expect(await socket.closed).toBe(1012)
  expect(await stopping).toBe(0)
})
