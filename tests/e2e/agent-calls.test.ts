// Agents that ask each other: each answer is a turn of its own in a hidden conversation, a child of the turn that asks.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { HeldReply } from '../support/held-reply.ts'
import { FAULTY, NODE } from '../support/mcp-servers.ts'
import { runningTimers } from '../support/running-timers.ts'
import { scriptedAgent } from '../support/scripted-agent.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let api: Muxi
let worker: Muxi
beforeAll(async () => {
  stage = await openStage({
    env: { MUXI_MCP_COMMANDS: NODE },
    agents: {
      leader: scriptedAgent({ agent_tools: ['researcher', 'writer'] }),
      researcher: scriptedAgent({ description: 'Finds things out.', agent_tools: ['leader', 'writer'] }),
      writer: scriptedAgent({ description: 'Writes.' }),
    },
  })
  api = await stage.start('api')
  worker = await stage.start('worker')
  const server = { name: 'faulty', command: NODE, args: [FAULTY, 'none', stage.countFile] }
  const added = await stage.call(api.url, '/api/v1/agents/writer/mcp_servers', { body: server })
  expect(added.status).toBe(201)
  return () => stage.close()
})

afterEach(async () => {
  stage.model.assertUsed()
  await stage.check({ unsent: 2 })
})

const ask = (id: string, message: string) => ({ name: `ask_${id}`, arguments: { message } })

/** Sends a message to the leader, in a conversation of its own. */
async function begin(content: string, more: { user_id?: string } = {}) {
  const conversation_id = await stage.conversation(api.url, { agent_id: 'leader', ...more })
  const stream = await stage.chat(api.url, content, { agent: 'leader', conversation_id, ...more })
  const { turn_id } = (await stream.waitFor('accepted')).data as { turn_id: string }
  return { stream, turn_id, conversation_id }
}

/** The results of its calls as the model got them. */
const toldTo = (cue: string) =>
  stage.model
    .requests(cue)
    .at(-1)!
    .messages.filter(({ role }) => role === 'tool')
    .map(({ content }) => content)

/** The turns below a turn: agent, status and depth. */
const below = (turnId: string) =>
  stage.rows('select id, agent_id, status, depth from turns where root_turn_id = ? order by id', turnId)

it(keeps('agents.ask', 'the answer of the other agent is the result of the call'), async () => {
  const asked = stage.model.script({ say: 'It is 42.' })
  const cue = stage.model.script({ say: 'I ask. ', call: [ask('researcher', `What is it? ${asked}`)] }, { say: '42.' })
  const { stream, turn_id } = await begin(cue)
  expect((await stream.untilFinal()).type).toBe('message_end')
  expect(stream.events.map(({ type }) => type)).toEqual([
    'accepted',
    'message_start',
    'content',
    'tool_call_start',
    'tool_call_end',
    'content',
    'message_end',
  ])
  expect(toldTo(cue)).toEqual(['It is 42.'])
  // It sees the message only.
  expect(stage.model.requests(asked)[0]!.messages.filter(({ role }) => role !== 'system')).toHaveLength(1)
  const start = stream.events.find(({ type }) => type === 'tool_call_start')!.data
  expect(start).toMatchObject({ name: 'ask_researcher', server: 'builtin', turn_id: expect.stringMatching(/^turn_/) })
  expect(await stage.turn(api.url, start.turn_id)).toMatchObject({ status: 'completed', agent_id: 'researcher' })
  expect((await stage.turn(api.url, turn_id)).message.agent_response.tool_calls).toMatchObject([
    { name: 'ask_researcher', output: 'It is 42.', is_error: false },
  ])
})

it(
  keeps('agents.usage', 'the usage of a turn includes that of the turns it asked for, and the log names them'),
  async () => {
    const deepest = stage.model.script({ say: 'Deep.' })
    const asked = stage.model.script({ call: [ask('writer', deepest)] }, { say: 'Middle.' })
    const cue = stage.model.script({ call: [ask('researcher', asked)] }, { say: 'Top.' })
    const { stream, turn_id } = await begin(cue)
    const { usage } = (await stream.untilFinal()).data
    const children = await below(turn_id)
    expect(children).toMatchObject([
      { agent_id: 'researcher', depth: 1 },
      { agent_id: 'writer', depth: 2 },
    ])
    const [sum] = await stage.rows(
      `select sum(input_tokens) as input, sum(output_tokens) as output, count(*) as n from model_usage where stream_id = ?
     or stream_id in (select id from turns where root_turn_id = ?)`,
      turn_id,
      turn_id,
    )
    expect(Number(sum!['n'])).toBe(5)
    // Budgets are those of the user and the key that asked the leader.
    const owners = await stage.rows(
      `select distinct usage.agent_id, usage.user_id, usage.key_id = turns.key_id as own from model_usage as usage
       join turns on turns.id = ? where stream_id in (select id from turns where root_turn_id = ?) order by 1`,
      turn_id,
      turn_id,
    )
    expect(owners).toEqual(['researcher', 'writer'].map((agent_id) => ({ agent_id, user_id: 'default', own: 1 })))
    expect(usage).toMatchObject({ input_tokens: Number(sum!['input']), output_tokens: Number(sum!['output']) })
    const { body: log } = await stage.call(api.url, `/api/v1/turns/${turn_id}/log`)
    const child = children[0]!['id']
    expect(log.entries.map(({ kind }: { kind: string }) => kind)).toEqual(['model_call', 'tool_call', 'model_call'])
    expect(log.entries[1]).toMatchObject({
      name: 'ask_researcher',
      status: 'completed',
      workflow_id: `turn/${child}`,
      input: { turn_id: child },
      output: 'Middle.',
      usage: { input_tokens: expect.any(Number) },
    })
    expect(log.totals).toMatchObject(usage)
  },
)

it(
  keeps('agents.hidden', 'the conversation of the agent that is asked is in no list, and takes no message'),
  async () => {
    const user_id = 'hidden'
    const asked = stage.model.script({ say: 'Here.' })
    const { stream, turn_id, conversation_id } = await begin(
      stage.model.script({ call: [ask('writer', asked)] }, { say: 'There.' }),
      { user_id },
    )
    await stream.untilFinal()
    const [child] = await stage.rows('select * from turns where root_turn_id = ?', turn_id)
    const hidden = String(child!['conversation_id'])
    expect(child).toMatchObject({ user_id, parent_turn_id: turn_id, remembers: 0 })
    const get = async (path: string) => (await stage.call(api.url, `/api/v1${path}`)).body
    expect((await get(`/conversations?user_id=${user_id}`)).conversations.map(({ id }: { id: string }) => id)).toEqual([
      conversation_id,
    ])
    expect((await get(`/turns?user_id=${user_id}`)).turns.map((turn: { turn_id: string }) => turn.turn_id)).toEqual([
      turn_id,
    ])
    // What is stored of a user is exported as a whole.
    const exported = await stage.call(api.url, `/api/v1/users/${user_id}/export`)
    expect(exported.text).toContain(hidden)
    expect((await get('/agents/writer')).stats).toEqual({ conversations: 0, total_messages: 0, active_users: 0 })
    for (const path of [`/conversations/${hidden}`, `/conversations/${hidden}/messages`])
      expect((await stage.call(api.url, `/api/v1${path}`)).status).toBe(404)
    const body = { content: 'Hello', conversation_id: hidden, user_id }
    expect((await stage.call(api.url, '/api/v1/agents/writer/chat', { body })).status).toBe(404)
  },
)

it(keeps('agents.depth', 'below three levels nothing is asked, and the model is told'), async () => {
  const third = stage.model.script({ call: [ask('writer', 'One more?')] }, { say: 'Third.' })
  const second = stage.model.script({ call: [ask('researcher', third)] }, { say: 'Second.' })
  const first = stage.model.script({ call: [ask('leader', second)] }, { say: 'First.' })
  const cue = stage.model.script({ call: [ask('researcher', first)] }, { say: 'Top.' })
  const { stream, turn_id } = await begin(cue)
  expect((await stream.untilFinal()).type).toBe('message_end')
  expect(toldTo(third)).toEqual([expect.stringContaining('3 levels deep')])
  expect([toldTo(second), toldTo(first), toldTo(cue)]).toEqual([['Third.'], ['Second.'], ['First.']])
  expect((await below(turn_id)).map(({ depth }) => depth)).toEqual([1, 2, 3])
})

it(keeps('agents.parallel', 'agents and other tools are called in parallel'), async () => {
  const held = [new HeldReply(), new HeldReply()]
  const asked = held.map((each, n) => stage.model.script({ say: manyWords(`part${n}`, 40), held: each }))
  const cue = stage.model.script(
    {
      call: [ask('researcher', asked[0]!), ask('writer', asked[1]!), { name: 'count', arguments: { label: 'beside' } }],
    },
    { say: 'All.' },
  )
  const { stream } = await begin(cue)
  await expect.poll(() => asked.map((each) => stage.model.calls(each)), { interval: 10 }).toEqual([1, 1])
  await stream.waitFor('tool_call_end')
  for (const each of held) each.release()
  expect((await stream.untilFinal()).type).toBe('message_end')
  expect(toldTo(cue)).toEqual([manyWords('part0', 40), manyWords('part1', 40), expect.stringContaining('beside')])
})

it(keeps('agents.fails', 'the failure of the agent that is asked is the result of the call'), async () => {
  const asked = stage.model.script({ fail: 401 })
  const cue = stage.model.script({ call: [ask('writer', asked)] }, { say: 'It did not work.' })
  const { stream, turn_id } = await begin(cue)
  expect((await stream.untilFinal()).type).toBe('message_end')
  expect(toldTo(cue)).toEqual([expect.stringContaining("The agent 'writer' failed")])
  expect(stream.events.find(({ type }) => type === 'tool_call_end')?.data.is_error).toBe(true)
  expect(await below(turn_id)).toMatchObject([{ status: 'failed' }])
})

it(keeps('agents.fails', 'arguments that do not fit are told to the model'), async () => {
  const cue = stage.model.script({ call: [{ name: 'ask_writer', arguments: {} }] }, { say: 'Sorry.' })
  const { stream, turn_id } = await begin(cue)
  await stream.untilFinal()
  expect(toldTo(cue)).toEqual([expect.stringContaining('message')])
  expect(await below(turn_id)).toEqual([])
})

it(keeps('agents.cancel', 'cancelling a turn stops the turns below it, with their model calls and tools'), async () => {
  const held = new HeldReply()
  const deepest = stage.model.script({ say: manyWords('deep', 40), held })
  const counting = stage.model.script({ call: [{ name: 'count', arguments: { label: 'below', held: true } }] })
  const asked = stage.model.script({ call: [ask('writer', deepest), ask('writer', counting)] })
  const { stream, turn_id } = await begin(stage.model.script({ call: [ask('researcher', asked)] }))
  await expect.poll(() => stage.counted(), { interval: 10 }).toContain('below')
  await expect.poll(() => stage.model.calls(deepest), { interval: 10 }).toBe(1)
  const answer = await stage.call(api.url, `/api/v1/turns/${turn_id}/cancel`, { method: 'POST' })
  expect([answer.status, answer.body.status]).toEqual([200, 'cancelled'])
  expect((await stream.untilFinal()).type).toBe('cancelled')
  expect((await below(turn_id)).map(({ status }) => status)).toEqual(['cancelled', 'cancelled', 'cancelled'])
  await expect.poll(() => stage.model.served.every(({ closed_at }) => closed_at !== undefined)).toBe(true)
})

it(keeps('agents.cancel', 'a turn that was asked for can be cancelled alone, and the call is told so'), async () => {
  const asked = stage.model.script({ say: manyWords('slow', 40), held: new HeldReply() })
  const cue = stage.model.script({ call: [ask('writer', asked)] }, { say: 'I go on.' })
  const { stream } = await begin(cue)
  const { turn_id } = (await stream.waitFor('tool_call_start')).data
  await expect.poll(() => stage.model.calls(asked), { interval: 10 }).toBe(1)
  const answer = await stage.call(api.url, `/api/v1/turns/${turn_id}/cancel`, { method: 'POST' })
  expect(answer.body.status).toBe('cancelled')
  expect((await stream.untilFinal()).type).toBe('message_end')
  expect(toldTo(cue)).toEqual([expect.stringContaining('was stopped')])
})

it(keeps('agents.cancel', 'a message that interrupts stops the turns below too'), async () => {
  const asked = stage.model.script({ say: manyWords('slow', 40), held: new HeldReply() })
  const { stream, turn_id, conversation_id } = await begin(stage.model.script({ call: [ask('writer', asked)] }))
  await expect.poll(() => stage.model.calls(asked), { interval: 10 }).toBe(1)
  const more = { agent: 'leader', conversation_id, on_busy: 'interrupt' }
  const next = await stage.chat(api.url, stage.model.script({ say: 'Next.' }), more)
  expect((await next.untilFinal()).type).toBe('message_end')
  expect(stream.final?.type).toBe('cancelled')
  expect(await below(turn_id)).toMatchObject([{ status: 'cancelled' }])
})

it(
  keeps('agents.fails', 'an agent that was deleted meanwhile is told to the model, and not offered again'),
  async () => {
    const held = new HeldReply(1)
    const cue = stage.model.script(
      { say: manyWords('wait', 40), held, call: [ask('writer', 'Hello?')] },
      { say: 'Alone.' },
    )
    const { stream } = await begin(cue)
    await stream.waitFor('content')
    await stage.write([`update agents set deleted_at = 'now' where id = 'writer'`])
    held.release()
    expect((await stream.untilFinal()).type).toBe('message_end')
    await stage.write([`update agents set deleted_at = null where id = 'writer'`])
    expect(toldTo(cue)).toEqual([expect.stringContaining("no agent 'writer'")])
    const offered = stage.model.requests(cue).map(({ tools }) => tools!.map((tool) => tool.function.name))
    expect(offered.map((names) => names.includes('ask_writer'))).toEqual([true, false])
  },
)

it(keeps('agents.approval', 'what a turn below waits for is shown and decided at the root'), async () => {
  const counting = stage.model.script(
    { call: [{ name: 'faulty__count', arguments: { label: 'approved below' } }] },
    { say: 'Counted.' },
  )
  const asked = stage.model.script({ call: [ask('writer', counting)] }, { say: 'Asked.' })
  const { stream, turn_id, conversation_id } = await begin(
    stage.model.script({ call: [ask('researcher', asked)] }, { say: 'Done.' }),
  )
  const required = (await stream.waitFor('approval_required')).data
  expect(required).toMatchObject({
    call_id: 'call_1_1',
    name: 'count',
    server: 'faulty',
    agent_id: 'writer',
    parameters: { label: 'approved below' },
  })
  const turn = await stage.turn(api.url, turn_id)
  expect(turn).toMatchObject({ status: 'awaiting_approval', approvals: [{ id: required.id, turn_id }] })
  const { body } = await stage.call(api.url, '/api/v1/approvals?status=waiting')
  expect(body.approvals).toMatchObject([{ id: required.id, turn_id, agent_id: 'writer' }])
  const page = await stage.call(api.url, `/api/v1/conversations/${conversation_id}/messages?include=turns`)
  expect(page.body.messages[0].turn.approvals).toMatchObject([{ id: required.id, turn_id }])
  expect(stage.counted()).not.toContain('approved below')
  // No time passes for any of them.
  for (const { id } of [{ id: turn_id }, ...(await below(turn_id))])
    await expect.poll(() => runningTimers(stage, String(id))).toEqual([])
  const path = `/api/v1/turns/${turn_id}/approvals/${required.id}`
  const decided = await stage.call(api.url, path, { body: { decision: 'approve' } })
  expect([decided.status, decided.body.turn_id]).toEqual([200, turn_id])
  expect((await stream.untilFinal()).type).toBe('message_end')
  expect(stream.events.find(({ type }) => type === 'approval_decided')?.data).toEqual({
    id: required.id,
    decision: 'approve',
  })
  expect(stage.counted().filter((label) => label === 'approved below')).toHaveLength(1)
  expect(toldTo(asked)).toEqual(['Counted.'])
})

it(keeps('agents.approval', 'cancelling the root cancels what a turn below waits for'), async () => {
  const counting = stage.model.script({ call: [{ name: 'faulty__count', arguments: { label: 'never' } }] })
  const { stream, turn_id } = await begin(stage.model.script({ call: [ask('writer', counting)] }))
  await stream.waitFor('approval_required')
  const answer = await stage.call(api.url, `/api/v1/turns/${turn_id}/cancel`, { method: 'POST' })
  expect(answer.body.status).toBe('cancelled')
  await stream.untilFinal()
  expect(stream.events.find(({ type }) => type === 'approval_decided')?.data.decision).toBe('cancelled')
  expect((await stage.call(api.url, '/api/v1/approvals?status=waiting')).body.approvals).toEqual([])
  expect(stage.counted()).not.toContain('never')
})

it(keeps('agents.worker-killed', 'the agent that is asked answers once, and no finished step runs twice'), async () => {
  const answer = manyWords('kept', 20)
  const asked = stage.model.script(
    { call: [{ name: 'count', arguments: { label: 'once below' } }] },
    { say: manyWords('lost', 40), held: new HeldReply() },
    { say: answer },
  )
  const cue = stage.model.script({ say: 'I ask. ', call: [ask('writer', asked)] }, { say: 'Thanks.' })
  const { stream, turn_id } = await begin(cue)
  await expect.poll(() => stage.model.calls(asked), { interval: 10 }).toBe(2)
  await worker.kill()
  worker = await stage.start('worker')
  expect((await stream.untilFinal()).type).toBe('message_end')
  expect([stage.model.calls(asked), stage.model.calls(cue)]).toEqual([3, 2])
  expect(toldTo(cue)).toEqual([answer])
  expect(stage.counted().filter((label) => label === 'once below')).toHaveLength(1)
  expect(await below(turn_id)).toMatchObject([{ status: 'completed' }])
})

it(
  keeps('agents.worker-killed', 'API, worker and Temporal killed while a turn below waits: it goes on where it was'),
  async () => {
    const counting = stage.model.script(
      { call: [{ name: 'faulty__count', arguments: { label: 'after all' } }] },
      { say: 'Counted.' },
    )
    const cue = stage.model.script({ call: [ask('writer', counting)] }, { say: 'Done.' })
    const { stream, turn_id } = await begin(cue)
    const { id } = (await stream.waitFor('approval_required')).data
    const port = Number(new URL(api.url).port)
    await Promise.all([api.kill(), worker.kill()])
    process.kill(stage.temporal!.pid, 'SIGKILL')
    await stage.temporal!.ended
    await stage.restartTemporal()
    api = await stage.start('api', { port })
    worker = await stage.start('worker')
    await stage.call(api.url, `/api/v1/turns/${turn_id}/approvals/${id}`, { body: { decision: 'approve' } })
    const rest = await stage.follow(api.url, turn_id, stream.lastId)
    expect((await rest.untilFinal()).type).toBe('message_end')
    expect(stage.counted().filter((label) => label === 'after all')).toHaveLength(1)
    expect(toldTo(cue)).toEqual(['Counted.'])
  },
)

it(keeps('agents.deleted', 'a hidden conversation is deleted with the conversation, and with the user'), async () => {
  const user_id = 'leaving'
  const rowsOf = async () => {
    const [conversations] = await stage.rows('select count(*) as n from conversations where user_id = ?', user_id)
    const [turns] = await stage.rows('select count(*) as n from turns where user_id = ?', user_id)
    return [Number(conversations!['n']), Number(turns!['n'])]
  }
  const converse = async () => {
    const deepest = stage.model.script({ say: 'A secret.' })
    const asked = stage.model.script({ call: [ask('writer', deepest)] }, { say: 'Secret.' })
    const cue = stage.model.script({ call: [ask('researcher', asked)] }, { say: 'Kept.' })
    const { stream, conversation_id } = await begin(cue, { user_id })
    await stream.untilFinal()
    return conversation_id
  }
  const first = await converse()
  await stage.check()
  expect(await rowsOf()).toEqual([3, 3])
  const deleted = await stage.call(api.url, `/api/v1/conversations/${first}`, { method: 'DELETE' })
  expect([deleted.status, deleted.body.message_count]).toEqual([200, 2])
  expect(await rowsOf()).toEqual([0, 0])
  await converse()
  await stage.check()
  const forgotten = await stage.call(api.url, `/api/v1/users/${user_id}`, { method: 'DELETE' })
  expect([forgotten.status, forgotten.body.counts.conversations]).toEqual([200, 1])
  expect(await rowsOf()).toEqual([0, 0])
})
