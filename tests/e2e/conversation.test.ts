// A conversation and its queue: many messages in order, messages that arrive while a turn runs, and repeated requests.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeAll, expect, it } from 'vitest'
import { HeldReply } from '../support/held-reply.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { expectStatus } from '../support/turns.ts'
import { manyWords } from '../support/words.ts'
import { LONG } from '../support/long.ts'
import { keeps } from './requirements.ts'

const MESSAGES = LONG ? 200 : 80

let stage: Stage
let server: Muxi
/** An API process without a worker. */
let api: Muxi
beforeAll(async () => {
  stage = await openStage()
  server = await stage.start('all')
  api = await stage.start('api')
  return () => stage.close()
})
afterEach(async () => {
  stage.model.assertUsed()
  await stage.check()
})

interface Sending {
  /** Messages sent without waiting for replies; then all replies are awaited. */
  burst: number
  /** The pause after that, in milliseconds. */
  pause: (round: number) => number
}

/** Sends one after the other, each accepted before the next is sent. @returns turn ids in that order */
async function sendMany(api: Muxi, conversation_id: string, { burst, pause }: Sending): Promise<string[]> {
  const turns: string[] = []
  for (let n = 1; n <= MESSAGES; n += 1) {
    const body = { content: `message ${n}`, conversation_id, background: true }
    const answer = await stage.call(api.url, '/api/v1/agents/scripted/chat', { body })
    expect(answer.status, answer.text).toBe(202)
    turns.push(answer.body.turn_id)
    if (n % burst > 0) continue
    await expect.poll(() => countOpen(conversation_id), { timeout: 30_000, interval: 5 }).toBe(0)
    await sleep(pause(n / burst))
  }
  return turns
}

async function countOpen(conversationId: string): Promise<number> {
  const open = await stage.rows(
    `select id from turns where conversation_id = ? and finished_at is null`,
    conversationId,
  )
  return open.length
}

async function expectAnsweredInOrder(conversationId: string, turns: string[]): Promise<void> {
  await expect.poll(() => countOpen(conversationId), { timeout: 60_000, interval: 200 }).toBe(0)
  const rows = await stage.rows(
    'select id, status, started_at, finished_at from turns where conversation_id = ? order by started_at, id',
    conversationId,
  )
  expect(rows.map(({ id }) => id)).toEqual(turns)
  expect(rows.every(({ status }) => status === 'completed')).toBe(true)
  const overlapping = rows.filter(
    (row, index) => index > 0 && String(row['started_at']) < String(rows[index - 1]!['finished_at']),
  )
  expect(overlapping).toEqual([])
  const said = await stage.rows(
    `select content from messages where conversation_id = ? and role = 'user' order by id`,
    conversationId,
  )
  expect(said.map(({ content }) => content)).toEqual(turns.map((_, index) => `message ${index + 1}`))
}

it(keeps('conversation.order', `${MESSAGES} messages sent as turns end are each answered once, in order`), async () => {
  const conversation = await stage.conversation(server.url)
  stage.model.otherwise({ say: 'Yes.' })
  const turns = await sendMany(server, conversation, { burst: 2, pause: (round) => (round * 17) % 50 })
  await expectAnsweredInOrder(conversation, turns)
})

it(
  keeps(
    'conversation.order',
    `${MESSAGES} messages in bursts through a process without a worker are each answered once, in order`,
  ),
  async () => {
    const conversation = await stage.conversation(api.url)
    stage.model.otherwise({ say: 'Yes.' })
    const turns = await sendMany(api, conversation, { burst: 20, pause: () => 0 })
    await expectAnsweredInOrder(conversation, turns)
  },
)

it(keeps('conversation.order', 'messages of many clients at the very same moment are each answered once'), async () => {
  const conversation_id = await stage.conversation(server.url, { agent_id: 'offline' })
  const turns: string[] = []
  for (let round = 0; round < 10; round += 1) {
    const bodies = Array.from({ length: 5 }, (_, n) => ({
      content: `round ${round} message ${n}`,
      conversation_id,
      background: true,
    }))
    const answers = await Promise.all(
      bodies.map((body) => stage.call(server.url, '/api/v1/agents/offline/chat', { body })),
    )
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202])
    turns.push(...answers.map(({ body }) => body.turn_id as string))
  }
  await expect
    .poll(
      () => stage.rows(`select id from turns where conversation_id = ? and status = 'completed'`, conversation_id),
      { timeout: 30_000 },
    )
    .toHaveLength(50)
  expect(new Set(turns).size).toBe(50)
})

it(keeps('on-busy.queue', 'the second message waits and sees what the first was answered'), async () => {
  const conversation_id = await stage.conversation(server.url)
  const held = new HeldReply()
  const [first, second] = [stage.model.script({ say: manyWords('one', 40), held }), stage.model.script({ say: 'Two.' })]
  const one = await stage.chat(server.url, first, { conversation_id, on_busy: 'queue' })
  await one.waitFor('content')
  const two = await stage.chat(server.url, second, { conversation_id, on_busy: 'queue' })
  expect((await two.waitFor('accepted')).id).toBe(1)
  held.release()
  expect((await two.untilFinal()).type).toBe('message_end')
  expect(one.final?.type).toBe('message_end')
  const told = stage.model.requests(second)[0]!.messages.map(({ role, content }) => [role, content])
  expect(told.slice(1)).toEqual([
    ['user', first],
    ['assistant', manyWords('one', 40)],
    ['user', second],
  ])
})

it(keeps('on-busy.reject', 'the second message is a conflict, and it is as if it had never been sent'), async () => {
  const conversation_id = await stage.conversation(server.url)
  const held = new HeldReply()
  const cue = stage.model.script({ say: manyWords('one', 40), held })
  const one = await stage.chat(server.url, cue, { conversation_id })
  await one.waitFor('content')
  const body = { content: 'And me?', conversation_id, on_busy: 'reject' }
  const two = await stage.call(server.url, '/api/v1/agents/scripted/chat', { body })
  expect([two.status, two.body.error.code]).toEqual([409, 'conflict'])
  held.release()
  expect((await one.untilFinal()).type).toBe('message_end')
  expect(await stage.rows('select id from turns where conversation_id = ?', conversation_id)).toHaveLength(1)
  expect(await stage.rows('select id from messages where conversation_id = ?', conversation_id)).toHaveLength(2)
})

it(
  keeps('on-busy.reject', 'of ten messages at the very same moment one is answered and nine are conflicts'),
  async () => {
    const conversation_id = await stage.conversation(server.url)
    const held = new HeldReply()
    const cue = stage.model.script({ say: manyWords('one', 60), held })
    const body = { content: cue, conversation_id, on_busy: 'reject', background: true }
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => stage.call(server.url, '/api/v1/agents/scripted/chat', { body })),
    )
    expect(answers.map(({ status }) => status).toSorted()).toEqual([202, ...Array.from({ length: 9 }, () => 409)])
    held.release()
    const accepted = answers.find(({ status }) => status === 202)!
    await (await stage.follow(server.url, accepted.body.turn_id)).untilFinal()
    expect(await stage.rows('select id from turns where conversation_id = ?', conversation_id)).toHaveLength(1)
  },
)

it(keeps('on-busy.interrupt', 'the first is cancelled with its text kept, and the second answered'), async () => {
  const conversation_id = await stage.conversation(server.url)
  const [first, second] = [
    stage.model.script({ say: manyWords('one', 40), held: new HeldReply() }),
    stage.model.script({ say: 'Two.' }),
  ]
  const one = await stage.chat(server.url, first, { conversation_id })
  await one.waitFor('content')
  // The text of a head start comes before the activity.
  await expectStatus(stage, one.events[0]!.data.turn_id, 'running')
  const two = await stage.chat(server.url, second, { conversation_id, on_busy: 'interrupt' })
  expect((await two.untilFinal()).type).toBe('message_end')
  expect((await one.untilFinal()).type).toBe('cancelled')
  const turn = await stage.turn(server.url, one.events[0]!.data.turn_id)
  expect(turn.status).toBe('cancelled')
  expect(turn.message.agent_response.content).toMatch(/^one-1 /)
})

it(
  keeps('on-busy.interrupt', 'messages in quick succession are each cancelled by the next, and the last is answered'),
  async () => {
    const conversation_id = await stage.conversation(server.url)
    const cue = stage.model.script({ say: 'The last.' })
    // Those before the last may get as far as the model.
    const end = stage.model.otherwise({ say: manyWords('early', 40), held: new HeldReply() })
    const turns: string[] = []
    for (let n = 1; n <= 10; n += 1) {
      const body = { content: n === 10 ? cue : `number ${n}`, conversation_id, on_busy: 'interrupt', background: true }
      const answer = await stage.call(server.url, '/api/v1/agents/scripted/chat', { body })
      expect(answer.status, answer.text).toBe(202)
      turns.push(answer.body.turn_id)
      // At every moment of the life of the turn before: not begun, beginning, claimed, asking the model.
      await sleep(n * 5)
    }
    await expect
      .poll(() => countOpen(conversation_id), { interval: 50 })
      .toBe(0)
      .finally(end)
    const rows = await stage.rows('select status from turns where conversation_id = ? order by id', conversation_id)
    expect(rows.map(({ status }) => status)).toEqual([...Array.from({ length: 9 }, () => 'cancelled'), 'completed'])
    // A turn that is stopped in its first moments may have noted a request that it never sent.
    await stage.check({ unsent: 9 })
  },
)

it(
  keeps('idempotency.same-body', 'twenty requests at once with one key are one turn, and so is a later one'),
  async () => {
    const conversation_id = await stage.conversation(server.url)
    const cue = stage.model.script({ say: manyWords('once', 20), pieces_per_second: 40 })
    const request = {
      body: { content: cue, conversation_id, background: true },
      headers: { 'idempotency-key': 'key-1' },
    }
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => stage.call(server.url, '/api/v1/agents/scripted/chat', request)),
    )
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 202))
    expect(new Set(answers.map(({ body }) => body.turn_id)).size).toBe(1)
    const stream = await stage.follow(server.url, answers[0]!.body.turn_id)
    expect((await stream.untilFinal()).type).toBe('message_end')
    const later = await stage.call(server.url, '/api/v1/agents/scripted/chat', request)
    expect(later.body.turn_id).toBe(answers[0]!.body.turn_id)
    expect(await stage.rows('select id from turns where conversation_id = ?', conversation_id)).toHaveLength(1)
  },
)

it(keeps('idempotency.other-body', 'is a conflict, and starts nothing'), async () => {
  const conversation_id = await stage.conversation(server.url)
  const cue = stage.model.script({ say: 'Once.' })
  const headers = { 'idempotency-key': 'key-2' }
  expect(
    (await stage.call(server.url, '/api/v1/agents/scripted/chat', { body: { content: cue, conversation_id }, headers }))
      .status,
  ).toBe(200)
  const other = await stage.call(server.url, '/api/v1/agents/scripted/chat', {
    body: { content: `${cue}!`, conversation_id },
    headers,
  })
  expect([other.status, other.body.error.code]).toEqual([409, 'conflict'])
  const another = await stage.call(server.url, '/api/v1/agents/offline/chat', { body: { content: 'Hello' }, headers })
  expect(another.status).toBe(200)
  expect(await stage.rows('select id from turns where conversation_id = ?', conversation_id)).toHaveLength(1)
})
