// A turn over REST and SSE: its events, its reply, its replay, and going on after any event.
import { afterEach, beforeAll, expect, it, onTestFinished } from 'vitest'
import { HeldReply } from '../support/held-reply.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
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

it(keeps('chat.stream', 'with tool calls in parallel, in two steps'), async () => {
  const calls = ['one', 'two'].map((label) => ({ name: 'count', arguments: { label: `parallel ${label}`, ms: 200 } }))
  const cue = stage.model.script(
    { say: 'Let me count. ', call: calls },
    { say: manyWords('word', 20), pieces_per_second: 100 },
  )
  const stream = await stage.chat(muxi.url, cue, { conversation_id: await stage.conversation(muxi.url) })
  const end = await stream.untilFinal()
  expect(await stream.ended).toBe('ended')
  expect(stream.events.map(({ id }) => id)).toEqual(stream.events.map((_, index) => index + 1))
  expect(stream.events.slice(0, 2).map(({ type }) => type)).toEqual(['accepted', 'message_start'])
  const tools = stream.events
    .filter(({ type }) => type.startsWith('tool_call'))
    .map(({ type, data }) => `${type} ${data.id}`)
  expect(tools.toSorted()).toEqual([
    'tool_call_end call_1_1',
    'tool_call_end call_1_2',
    'tool_call_start call_1_1',
    'tool_call_start call_1_2',
  ])
  const { turn_id, message_id } = stream.events[0]!.data
  expect([end.type, end.data.id]).toEqual(['message_end', message_id])
  expect(end.data.usage.output_tokens).toBeGreaterThan(0)
  const { status, message } = await stage.turn(muxi.url, turn_id)
  expect(status).toBe('completed')
  const text = stream.events
    .filter(({ type }) => type === 'content')
    .map(({ data }) => data.content)
    .join('')
  expect(message.agent_response.content).toBe(text)
  expect(message.agent_response.tool_calls).toMatchObject([
    {
      id: 'call_1_1',
      name: 'count',
      server: 'test',
      parameters: { label: 'parallel one', ms: 200 },
      output: { counted: 'parallel one' },
      is_error: false,
    },
    { id: 'call_1_2', name: 'count', is_error: false },
  ])
  expect(stage.counted().filter((label) => label.startsWith('parallel'))).toHaveLength(2)
  const told = stage.model.requests(cue)[1]!.messages.slice(-3)
  expect(told.map(({ role, tool_call_id }) => [role, typeof tool_call_id])).toEqual([
    ['assistant', 'undefined'],
    ['tool', 'string'],
    ['tool', 'string'],
  ])
})

it(keeps('chat.stream', 'the whole reply without a stream, and in the background'), async () => {
  const cue = stage.model.script({ say: 'Hello to you.' })
  const whole = await stage.call(muxi.url, '/api/v1/agents/scripted/chat', { body: { content: cue, user_id: 'carla' } })
  expect(whole.body).toMatchObject({
    id: expect.stringMatching(/^msg_/),
    turn_id: expect.stringMatching(/^turn_/),
    agent_id: 'scripted',
    user_id: 'carla',
    status: 'completed',
    user_message: { role: 'user', content: cue },
    agent_response: { role: 'assistant', content: 'Hello to you.' },
    usage: { input_tokens: expect.any(Number), output_tokens: expect.any(Number), cost_usd: expect.any(Number) },
  })
  for (const path of ['chat', 'chat/stream']) {
    const body = { content: 'Hi', background: true }
    const later = await stage.call(muxi.url, `/api/v1/agents/offline/${path}`, { body })
    expect([later.status, later.body.status]).toEqual([202, 'queued'])
    expect((await (await stage.follow(muxi.url, later.body.turn_id)).untilFinal()).type).toBe('message_end')
  }
})

it(keeps('chat.stream', 'pieces arrive while the model speaks, not when it has ended'), async () => {
  const reply = manyWords('word', 60)
  const held = new HeldReply()
  const cue = stage.model.script({ say: reply, held })
  const stream = await stage.chat(muxi.url, cue, { conversation_id: await stage.conversation(muxi.url) })
  // All that the model has said so far.
  await stream.shows(reply.slice(0, 8 * held.pieces))
  expect(stream.final).toBeUndefined()
  held.release()
  await stream.untilFinal()
  expect(stream.text).toBe(reply)
})

it(
  keeps('chat.replay', 'a finished turn is the same bytes every time, from the start and after any event'),
  async () => {
    const cue = stage.model.script({ say: manyWords('word “ü” 🙂', 30), pieces_per_second: 200, piece: 3 })
    const stream = await stage.chat(muxi.url, cue, { conversation_id: await stage.conversation(muxi.url) })
    await stream.ended
    const { turn_id } = stream.events[0]!.data
    for (const after of [0, 1, 2, Math.floor(stream.lastId / 2), stream.lastId - 1]) {
      const replay = await stage.follow(muxi.url, turn_id, after)
      await replay.ended
      const frames = stream.raw.split(/(?<=\n\n)/)
      expect(replay.raw).toBe(frames.slice(after).join(''))
    }
  },
)

it(
  keeps('chat.resume', 'twenty clients that come and go at any event of a running turn all see the same'),
  async () => {
    const cue = stage.model.script({ say: manyWords('word', 150), pieces_per_second: 60 })
    const stream = await stage.chat(muxi.url, cue, { conversation_id: await stage.conversation(muxi.url) })
    const { turn_id } = (await stream.waitFor('accepted')).data
    const wanderer = async (n: number) => {
      let [raw, last] = ['', 0]
      for (let stop = n; ; stop += 7 + n) {
        const visit = await stage.follow(muxi.url, turn_id, last)
        await Promise.race([visit.waitFor(({ id }) => id >= stop), visit.ended]).catch(() => undefined)
        visit.cut()
        await visit.ended
        raw += visit.raw
        last = Math.max(last, visit.lastId)
        if (visit.final) return raw
      }
    }
    const seen = await Promise.all(Array.from({ length: 20 }, (_, n) => wanderer(n + 1)))
    await stream.ended
    expect(new Set(seen)).toEqual(new Set([stream.raw]))
  },
)

it(keeps('chat.resume', 'at the end there is nothing, beyond it nothing, before it the rest'), async () => {
  const stream = await stage.chat(muxi.url, 'Hello', { agent: 'offline' })
  await stream.ended
  const path = `/api/v1/turns/${stream.events[0]!.data.turn_id}/stream`
  const status = async (id: string) => (await stage.call(muxi.url, path, { headers: { 'last-event-id': id } })).status
  expect(await status(String(stream.lastId))).toBe(204)
  expect(await status(String(stream.lastId + 5))).toBe(204)
  expect(await status(String(stream.lastId - 1))).toBe(200)
  expect(await status('nonsense')).toBe(400)
})

it(keeps('chat.resume', 'beyond the head of a running turn: the whole text so far, then the rest'), async () => {
  const held = new HeldReply()
  const cue = stage.model.script({ say: manyWords('word', 60), held })
  const stream = await stage.chat(muxi.url, cue, { conversation_id: await stage.conversation(muxi.url) })
  await stream.shows('word-9 ')
  const beyond = await stage.follow(muxi.url, stream.events[0]!.data.turn_id, 5_000)
  held.release()
  await beyond.ended
  expect(beyond.events[0]?.type).toBe('content_reset')
  const text = beyond.events.reduce(
    (shown, { type, data }) =>
      type === 'content_reset' ? data.content : type === 'content' ? shown + data.content : shown,
    '',
  )
  expect(text).toBe(manyWords('word', 60))
  expect(beyond.final?.id).toBe((await stream.untilFinal()).id)
})

it(keeps('keys.configured', 'after a restart as well, beside the keys made meanwhile'), async () => {
  const other = await openStage({ env: { MUXI_API_KEY: 'sk_muxi_configured_by_hand' } })
  onTestFinished(() => other.close())
  other.key = 'sk_muxi_configured_by_hand'
  for (let start = 1; start <= 2; start += 1) {
    const api = await other.start('api')
    expect((await other.call(api.url, '/api/v1/keys')).status).toBe(200)
    expect(api.stdout()).not.toContain('sk_muxi')
    await api.stop()
  }
})

it(keeps('start.fails', 'it says why and ends, whatever of it was running already'), async () => {
  const other = await openStage()
  onTestFinished(() => other.close())
  const taken = new URL(muxi.url).port
  await expect(other.start('all', { port: Number(taken) })).rejects.toThrow(/ended \(1\)[^]*EADDRINUSE/)
})
