// Calls that wait for people, and servers that ask them: an API and a worker over one data folder, and everything that can be killed is killed.
import { beforeAll, afterEach, expect, it } from 'vitest'
import { EVERYTHING, FAULTY, NODE } from '../support/mcp-servers.ts'
import { runningTimers } from '../support/running-timers.ts'
import type { SseClient } from '../support/sse-client.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

const countFile = () => stage.countFile

let stage: Stage
let api: Muxi
let worker: Muxi
beforeAll(async () => {
  stage = await openStage({ env: { MUXI_MCP_COMMANDS: NODE } })
  api = await stage.start('api')
  worker = await stage.start('worker')
  const approval = { tools: { 'count_*': 'never', changed: 'never' } }
  await add({ name: 'faulty', command: NODE, args: [FAULTY, 'none', countFile()], approval })
  await add({ name: 'everything', command: NODE, args: [EVERYTHING], approval: 'never' })
  return () => stage.close()
})

afterEach(async () => {
  stage.model.assertUsed()
  // Cancellations that the server gets: of its list of tools, too, on a busy machine.
  await stage.check({ repeatable: ['cancelled'] })
})

async function add(body: object): Promise<void> {
  const { status, text } = await stage.call(api.url, '/api/v1/agents/scripted/mcp_servers', { body })
  if (status !== 201) throw new Error(text)
}

const counted = (label: string) => stage.counted().filter((each) => each === label).length

/** Has the model call a tool and say something afterwards, in a conversation of its own. */
async function begin(name: string, given: object, more: { say?: string; key?: string } = {}) {
  const { say, key } = more
  const cue = stage.model.script({ call: [{ name, arguments: given }] }, ...(say === undefined ? [] : [{ say }]))
  const conversation_id = await stage.conversation(api.url)
  const stream = await stage.chat(api.url, cue, { conversation_id, ...(key !== undefined && { key }) })
  const { turn_id } = (await stream.waitFor('accepted')).data as { turn_id: string }
  return { cue, stream, turn_id, asked: (await stream.waitFor('approval_required')).data }
}

const decide = (turnId: string, approvalId: string, body: object, key = stage.key) =>
  stage.call(api.url, `/api/v1/turns/${turnId}/approvals/${approvalId}`, { body, key })

/** What the model was told of its call. */
const toldTo = (cue: string) =>
  stage.model
    .requests(cue)
    .at(-1)!
    .messages.find(({ role }) => role === 'tool')?.content
const endOf = (stream: SseClient) => stream.events.find(({ type }) => type === 'tool_call_end')?.data

it(keeps('approvals.time', 'the deadline of a turn is paused while it waits for a person'), async () => {
  const { turn_id, asked, stream } = await begin('faulty__count', { label: 'late' }, { say: 'Counted.' })
  const question = await begin('everything__trigger-elicitation-request', {}, { say: 'Thanks.' })
  // The limit of a turn is a timer of its workflow: none runs while it waits.
  for (const id of [turn_id, question.turn_id]) await expect.poll(() => runningTimers(stage, id)).toEqual([])
  await decide(turn_id, asked.id, { decision: 'approve' })
  await decide(question.turn_id, question.asked.id, { decision: 'answer', answer: { name: 'Ada' } })
  expect((await stream.untilFinal()).type).toBe('message_end')
  expect((await question.stream.untilFinal()).type).toBe('message_end')
  expect(counted('late')).toBe(1)
})

it(
  keeps('approvals.restarted', 'a call waits while everything is killed, and granted afterwards it is made once'),
  async () => {
    const { turn_id, asked, cue, stream } = await begin('faulty__count', { label: 'granted' }, { say: 'Counted.' })
    expect(asked).toMatchObject({
      kind: 'tool',
      name: 'count',
      server: 'faulty',
      call_id: 'call_1_1',
      parameters: { label: 'granted' },
    })
    expect((await stage.turn(api.url, turn_id)).status).toBe('awaiting_approval')
    const port = Number(new URL(api.url).port)
    await Promise.all([api.kill(), worker.kill()])
    process.kill(stage.temporal!.pid, 'SIGKILL')
    await stage.temporal!.ended
    await stage.restartTemporal()
    api = await stage.start('api', { port })
    worker = await stage.start('worker')
    const { body } = await stage.call(api.url, '/api/v1/approvals?status=waiting')
    expect(body).toMatchObject({ approvals: [{ id: asked.id, turn_id, status: 'waiting' }], has_more: false })
    expect(counted('granted')).toBe(0)
    const decided = await decide(turn_id, asked.id, { decision: 'approve' })
    expect([decided.status, decided.body]).toMatchObject([
      200,
      { id: asked.id, status: 'decided', decision: 'approve' },
    ])
    const rest = await stage.follow(api.url, turn_id, stream.lastId)
    expect((await rest.untilFinal()).type).toBe('message_end')
    expect(rest.events.map(({ type }) => type).slice(0, 4)).toEqual([
      'approval_decided',
      'tool_call_start',
      // The server's program is started for the call.
      'tool_call_progress',
      'tool_call_end',
    ])
    expect(counted('granted')).toBe(1)
    expect(toldTo(cue)).toBe('counted granted')
    const log = await stage.call(api.url, `/api/v1/turns/${turn_id}/log`)
    expect(log.body.entries.map(({ kind }: { kind: string }) => kind)).toEqual([
      'model_call',
      'approval',
      'tool_call',
      'model_call',
    ])
    expect(log.body.entries[1]).toMatchObject({
      name: 'faulty/count',
      status: 'completed',
      input: { kind: 'tool', parameters: { label: 'granted' } },
      output: { decision: 'approve' },
    })
  },
)

it(keeps('approvals.denied', 'a call that is denied is not made, and the model is told why'), async () => {
  const { turn_id, asked, cue, stream } = await begin('faulty__count', { label: 'denied' }, { say: 'Then not.' })
  await decide(turn_id, asked.id, { decision: 'deny', reason: 'Not on a Sunday' })
  expect((await stream.untilFinal()).type).toBe('message_end')
  expect(counted('denied')).toBe(0)
  expect(toldTo(cue)).toBe('The user did not allow this call: Not on a Sunday. Nothing was done.')
  expect(endOf(stream)).toMatchObject({ is_error: true })
})

it(
  keeps('approvals.edited', 'arguments that were changed are checked, and are those of the call from then on'),
  async () => {
    const { turn_id, asked, stream } = await begin('faulty__count', { label: 'written' }, { say: 'Counted.' })
    const wrong = await decide(turn_id, asked.id, { decision: 'approve', arguments: { label: 7 } })
    expect([wrong.status, wrong.body.error.message]).toEqual([
      400,
      "Cannot decide: 'arguments' must be as the tool wants them: arguments/label must be string",
    ])
    expect((await decide(turn_id, asked.id, { decision: 'answer', answer: {} })).status).toBe(400)
    expect((await decide(turn_id, asked.id, { decision: 'perhaps' })).status).toBe(400)
    expect((await decide(turn_id, asked.id, { decision: 'approve', arguments: { label: 'edited' } })).status).toBe(200)
    await stream.untilFinal()
    expect(['written', 'edited'].map(counted)).toEqual([0, 1])
    const { message, approvals } = await stage.turn(api.url, turn_id)
    expect(message.agent_response.tool_calls[0].parameters).toEqual({ label: 'edited' })
    expect(approvals).toMatchObject([{ parameters: { label: 'written' }, arguments: { label: 'edited' } }])
  },
)

it(keeps('approvals.edited', 'numbers in changed arguments keep their digits, over REST and WebSocket'), async () => {
  const changed = '{"n":12345678901234567890}'
  const rest = await begin('faulty__repeat', { n: 1 }, { say: 'Repeated.' })
  const body = `{"decision":"approve","arguments":${changed}}`
  const headers = { 'content-type': 'application/json' }
  const path = `/api/v1/turns/${rest.turn_id}/approvals/${rest.asked.id}`
  expect((await stage.call(api.url, path, { body, headers })).status).toBe(200)
  const other = await begin('faulty__repeat', { n: 1 }, { say: 'Repeated.' })
  const socket = await stage.socket(api.url)
  const data = `{"turn_id":"${other.turn_id}","approval_id":"${other.asked.id}",${body.slice(1)}`
  socket.socket.send(`{"type":"approve","id":"a","data":${data}}`)
  for (const { stream, turn_id } of [rest, other]) {
    await stream.untilFinal()
    const { text } = await stage.call(api.url, `/api/v1/turns/${turn_id}`)
    // What was decided, what the call had, and what the tool repeated.
    expect(text.split(changed.slice(1, -1)).length - 1).toBe(3)
  }
  socket.close()
})

it(
  keeps('approvals.once', 'of two who decide at once one has decided, and the other and all later ones get a conflict'),
  async () => {
    const { turn_id, asked, stream } = await begin('faulty__count', { label: 'twice' }, { say: 'Decided.' })
    const other = await stage.start('api')
    const answers = await Promise.all(
      [api.url, other.url].map((url, index) =>
        stage.call(url, `/api/v1/turns/${turn_id}/approvals/${asked.id}`, {
          body: { decision: index === 0 ? 'approve' : 'deny' },
        }),
      ),
    )
    await other.stop()
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409])
    const approved = answers[0]!.status === 200
    await stream.untilFinal()
    expect(counted('twice')).toBe(approved ? 1 : 0)
    const late = await decide(turn_id, asked.id, { decision: 'approve' })
    expect([late.status, late.body.error]).toMatchObject([
      409,
      { code: 'conflict', details: { status: 'decided', decision: approved ? 'approve' : 'deny' } },
    ])
  },
)

it(
  keeps('approvals.cancelled', 'a turn is stopped while its call waits; nothing is made or decided later'),
  async () => {
    const { turn_id, asked, stream } = await begin('faulty__count', { label: 'stopped' })
    await stage.call(api.url, `/api/v1/turns/${turn_id}/cancel`, { method: 'POST' })
    expect((await stream.untilFinal()).type).toBe('cancelled')
    expect((await decide(turn_id, asked.id, { decision: 'approve' })).status).toBe(409)
    expect(counted('stopped')).toBe(0)
    expect((await stage.turn(api.url, turn_id)).approvals).toMatchObject([{ id: asked.id, status: 'cancelled' }])
  },
)

it(keeps('approvals.chat', 'the client that waits for the reply is told that the turn waits'), async () => {
  const cue = stage.model.script(
    { call: [{ name: 'faulty__count', arguments: { label: 'waited' } }] },
    { say: 'Counted.' },
  )
  const conversation_id = await stage.conversation(api.url)
  const feed = await stage.socket(api.url)
  feed.send('subscribe', 'feed', { topics: ['approvals'] })
  await feed.waitFor(({ type }) => type === 'subscribed')
  const { status, body } = await stage.call(api.url, '/api/v1/agents/scripted/chat', {
    body: { content: cue, conversation_id },
  })
  expect([status, body]).toMatchObject([202, { status: 'awaiting_approval', approvals: [{ kind: 'tool' }] }])
  const socket = await stage.socket(api.url)
  const { turn_id, approvals } = body
  const waiting = await feed.waitFor(({ type, data }) => type === 'changed' && data.id === approvals[0].id)
  expect(waiting.data).toEqual({ topic: 'approvals', op: 'created', id: approvals[0].id, item: approvals[0] })
  socket.send('resume', 'follow', { turn_id })
  await socket.waitFor(({ type, id }) => type === 'approval_required' && id === 'follow')
  const frame = { turn_id, approval_id: approvals[0].id, decision: 'approve' }
  socket.send('approve', 'yes', frame)
  const told = await socket.waitFor(({ id }) => id === 'yes')
  expect(told).toMatchObject({ type: 'approval_decided', data: { id: approvals[0].id, decision: 'approve' } })
  await socket.waitFor(({ type, id }) => type === 'chat_end' && id === 'follow')
  const after = await feed.waitFor(({ data }) => data.id === approvals[0].id && data.item.status === 'decided')
  expect(after.data).toMatchObject({ op: 'updated', item: { decision: 'approve' } })
  feed.close()
  socket.send('approve', 'again', frame)
  expect(await socket.waitFor(({ id }) => id === 'again')).toMatchObject({ type: 'error', data: { code: 'conflict' } })
  socket.close()
  expect(counted('waited')).toBe(1)
})

it(keeps('approvals.owner', 'what another user is asked is not there'), async () => {
  const made = await stage.call(api.url, '/api/v1/keys', {
    body: { name: 'stranger', scopes: ['chat'], user_id: 'stranger' },
  })
  const key = made.body.key as string
  const { turn_id, asked, stream } = await begin('faulty__count', { label: 'private' }, { say: 'Then not.' })
  expect((await decide(turn_id, asked.id, { decision: 'approve' }, key)).status).toBe(404)
  expect((await stage.call(api.url, '/api/v1/approvals', { key })).body.approvals).toEqual([])
  // Nor under a turn of one's own.
  const own = stage.model.script({ say: 'Yours.' })
  const reply = await stage.call(api.url, '/api/v1/agents/scripted/chat', { body: { content: own }, key })
  expect((await decide(reply.body.turn_id, asked.id, { decision: 'approve' }, key)).status).toBe(404)
  const socket = await stage.socket(api.url, key)
  socket.send('approve', 'mine', { turn_id, approval_id: asked.id, decision: 'approve' })
  expect(await socket.waitFor(({ id }) => id === 'mine')).toMatchObject({ type: 'error', data: { code: 'not_found' } })
  socket.close()
  await decide(turn_id, asked.id, { decision: 'deny' })
  await stream.untilFinal()
  expect(counted('private')).toBe(0)
})

it(
  keeps('approvals.drift', 'an approval of a tool that has changed since is none: it is asked for again'),
  async () => {
    const { turn_id, asked, stream } = await begin('faulty__count', { label: 'drifted' }, { say: 'Counted.' })
    expect(asked.drifted).toBeUndefined()
    const change = stage.model.script({ call: [{ name: 'faulty__changed', arguments: {} }] }, { say: 'Changed.' })
    const conversation_id = await stage.conversation(api.url)
    await stage.call(api.url, '/api/v1/agents/scripted/chat', { body: { content: change, conversation_id } })
    const isListed = async () =>
      (await stage.call(api.url, '/api/v1/agents/scripted/mcp_servers/faulty')).body.available_tools.some(
        ({ drifted }: { drifted: boolean }) => drifted,
      )
    await expect.poll(isListed).toBe(true)
    await decide(turn_id, asked.id, { decision: 'approve' })
    const again = (await stream.waitFor(({ type, data }) => type === 'approval_required' && data.id !== asked.id)).data
    expect(again).toMatchObject({ name: 'count', drifted: true, parameters: { label: 'drifted' } })
    expect(counted('drifted')).toBe(0)
    await decide(turn_id, again.id, { decision: 'approve' })
    await stream.untilFinal()
    expect(counted('drifted')).toBe(1)
  },
)

it(
  keeps('approvals.question', 'what a server asks during a call is answered by the user, in its form, or declined'),
  async () => {
    const { turn_id, asked, stream } = await begin('everything__trigger-elicitation-request', {}, { say: 'Thanks.' })
    expect(asked).toMatchObject({
      kind: 'question',
      name: 'trigger-elicitation-request',
      message: expect.any(String),
      schema: { type: 'object', properties: { name: { type: 'string' } } },
    })
    expect((await stage.turn(api.url, turn_id)).status).toBe('awaiting_approval')
    const wrong = await decide(turn_id, asked.id, { decision: 'answer', answer: { name: 7 } })
    expect([wrong.status, wrong.body.error.message]).toEqual([
      400,
      expect.stringContaining('answer/name must be string'),
    ])
    expect((await decide(turn_id, asked.id, { decision: 'approve' })).status).toBe(400)
    expect((await decide(turn_id, asked.id, { decision: 'answer', answer: { name: 'Ada' } })).status).toBe(200)
    expect((await stream.untilFinal()).type).toBe('message_end')
    expect(endOf(stream).output).toContain('Ada')

    const second = await begin('everything__trigger-elicitation-request', {}, { say: 'Then not.' })
    await decide(second.turn_id, second.asked.id, { decision: 'deny' })
    await second.stream.untilFinal()
    expect(endOf(second.stream).output).toContain('declined')
  },
)

it(
  keeps('approvals.question-lost', 'a question ends with its turn, and with the worker that makes its call'),
  async () => {
    const stopped = await begin('everything__trigger-elicitation-request', {})
    await stage.call(api.url, `/api/v1/turns/${stopped.turn_id}/cancel`, { method: 'POST' })
    expect((await stopped.stream.untilFinal()).type).toBe('cancelled')
    expect(
      (await decide(stopped.turn_id, stopped.asked.id, { decision: 'answer', answer: { name: 'Ada' } })).status,
    ).toBe(409)

    const { turn_id, asked, stream } = await begin('everything__trigger-elicitation-request', {}, { say: 'Who knows.' })
    await worker.kill()
    worker = await stage.start('worker')
    expect((await stream.untilFinal()).type).toBe('message_end')
    expect(endOf(stream).output).toContain('Outcome unknown')
    expect(stream.events.find(({ type }) => type === 'approval_decided')?.data).toEqual({
      id: asked.id,
      decision: 'cancelled',
    })
    expect((await decide(turn_id, asked.id, { decision: 'answer', answer: { name: 'Ada' } })).status).toBe(409)
  },
)
