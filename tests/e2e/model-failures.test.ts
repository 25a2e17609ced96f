// What a model can do wrong, and what becomes of the turn.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { HeldReply } from '../support/held-reply.ts'
import { HANG, type Step } from '../support/scripted-model.ts'
import { MODEL_KEY, openStage, type Muxi, type Stage } from '../support/stage.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let muxi: Muxi
beforeAll(async () => {
  stage = await openStage({ env: { MUXI_ENGINE_MODEL_STALL_MS: '3000' } })
  muxi = await stage.start('all')
  return () => stage.close()
})
afterEach(async () => {
  stage.model.assertUsed()
  await stage.check()
})

async function run(...steps: Step[]) {
  const cue = stage.model.script(...steps)
  const stream = await stage.chat(muxi.url, `Please ${cue}`, { conversation_id: await stage.conversation(muxi.url) })
  await stream.untilFinal()
  const turnId: string = stream.events[0]!.data.turn_id
  const turn = await stage.turn(muxi.url, turnId)
  const { body: log } = await stage.call(muxi.url, `/api/v1/turns/${turnId}/log`)
  return { cue, stream, turn, turnId, log, reply: turn.message?.agent_response?.content as string | undefined }
}

const resets = ({ events }: Awaited<ReturnType<typeof run>>['stream']) =>
  events.filter(({ type }) => type === 'content_reset')

it(keeps('model.429', 'waits as long as Retry-After says, then answers'), async () => {
  const before = stage.model.served.length
  const { stream, reply, log } = await run({ fail: 429, retry_after: 3 }, { say: 'Now I can.' })
  const [refused, answered] = stage.model.served.slice(before)
  const waited = answered!.at - refused!.at
  expect(waited).toBeGreaterThanOrEqual(2_900)
  expect([stream.final?.type, reply]).toEqual(['message_end', 'Now I can.'])
  expect(resets(stream)).toEqual([])
  expect(log.entries.map(({ attempt, status }: Record<string, unknown>) => [attempt, status])).toEqual([
    [1, 'failed'],
    [2, 'completed'],
  ])
  expect(log.entries[0].error).toMatchObject({ provider: 'openai', status: 429 })
})

it(keeps('model.500', 'asks twice more, then answers'), async () => {
  const { stream, reply, log } = await run({ fail: 500 }, { fail: 500 }, { say: 'Third time lucky.' })
  expect([stream.final?.type, reply]).toEqual(['message_end', 'Third time lucky.'])
  expect(log.totals.model_calls).toBe(3)
})

it(keeps('model.500', 'is given up after five attempts with an upstream_error that names the provider'), async () => {
  const { stream, turn } = await run(...Array.from({ length: 5 }, () => ({ fail: 503 })))
  expect(stream.final?.data).toMatchObject({ code: 'upstream_error', details: { provider: 'openai', status: 503 } })
  expect(turn.status).toBe('failed')
})

it(keeps('model.hangs', 'before its first word'), async () => {
  const { stream, reply } = await run(HANG, { say: 'Sorry, I was away.' })
  expect([stream.final?.type, reply]).toEqual(['message_end', 'Sorry, I was away.'])
  expect(stage.model.served.at(-2)?.finished).toBe(false)
})

it(keeps('model.hangs', 'in the middle of its answer'), async () => {
  const { stream, reply } = await run(
    { say: manyWords('slow', 40), held: new HeldReply() },
    { say: 'Sorry, I was away.' },
  )
  expect([stream.final?.type, reply]).toEqual(['message_end', 'Sorry, I was away.'])
})

it(keeps('model.breaks', 'mid-stream: what was shown is withdrawn, and the whole text told once'), async () => {
  const { stream, reply } = await run(
    { say: manyWords('broken', 40), pieces_per_second: 50, break_after_pieces: 15 },
    { say: manyWords('whole', 20), pieces_per_second: 50 },
  )
  expect(reply).toBe(manyWords('whole', 20))
  expect(resets(stream).map(({ data }) => [data.step, data.content])).toEqual([[1, '']])
  expect(stream.events.some(({ data }) => data.content?.includes('broken-'))).toBe(true)
})

it(keeps('model.breaks', 'in its second step: the text of the first stays'), async () => {
  const { stream, reply } = await run(
    { say: 'Let me look. ', call: [{ name: 'current_time', arguments: {} }] },
    { say: manyWords('broken', 40), pieces_per_second: 50, break_after_pieces: 15 },
    { say: manyWords('whole', 20), pieces_per_second: 50 },
  )
  expect(reply).toBe(`Let me look. \n\n${manyWords('whole', 20)}`)
  expect(resets(stream).map(({ data }) => [data.step, data.content])).toEqual([[2, 'Let me look. ']])
})

const chunkOf = (delta: object, finish_reason: string | null = null) =>
  JSON.stringify({ id: 'x', object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }] })

/** A turn of an agent whose model answers with these lines, one list a request. */
async function runRaw(name: string, ...answers: string[][]) {
  stage.model.raw(name, ...answers)
  const agent = {
    id: name,
    description: 'Answers as it likes.',
    system_message: 'Answer.',
    model: { provider: 'openai', model: 'raw', base_url: stage.model.rawUrl(name) },
  }
  expect((await stage.call(muxi.url, '/api/v1/agents', { body: agent })).status).toBe(201)
  const stream = await stage.chat(muxi.url, 'Tell me', { agent: name })
  expect((await stream.untilFinal()).type).toBe('message_end')
  const turn = await stage.turn(muxi.url, stream.events[0]!.data.turn_id)
  return { stream, reply: turn.message.agent_response.content }
}

it(keeps('model.no-finish', 'a whole answer is asked for once'), async () => {
  const { stream, reply } = await runRaw('unfinished', [
    chunkOf({ content: 'It was ' }),
    chunkOf({ content: 'a day.' }),
  ])
  expect([resets(stream), reply, stage.model.calls('unfinished')]).toEqual([[], 'It was a day.', 1])
})

it(keeps('model.no-finish', 'half a call is asked for again'), async () => {
  const half = chunkOf({ tool_calls: [{ index: 0, id: 'c', function: { name: 'count', arguments: '{"n"' } }] })
  const whole = [chunkOf({ content: 'It was a day.' }), chunkOf({}, 'stop'), '[DONE]']
  const { stream, reply } = await runRaw('half', [chunkOf({ content: 'It was ' }), half], whole)
  expect([resets(stream).length, reply, stage.model.calls('half')]).toEqual([1, 'It was a day.', 2])
})

it(keeps('model.bad-arguments', 'the model hears what is wrong and does better'), async () => {
  const { cue, stream, turn, reply } = await run(
    { call: [{ name: 'count', arguments: '{"label": "bro' }] },
    { call: [{ name: 'count', arguments: { label: 7, more: true } }] },
    { call: [{ name: 'count', arguments: { label: 'right' } }] },
    { say: 'Counted.' },
  )
  expect([stream.final?.type, reply]).toEqual(['message_end', 'Counted.'])
  expect(stage.counted()).toEqual(['right'])
  expect(turn.message.agent_response.tool_calls.map(({ is_error }: { is_error: boolean }) => is_error)).toEqual([
    true,
    true,
    false,
  ])
  const told = stage.model
    .requests(cue)
    .at(-1)!
    .messages.filter(({ role }) => role === 'tool')
  expect(told.map(({ content }) => content)).toEqual([
    expect.stringContaining('not JSON'),
    expect.stringContaining('label'),
    '{"counted":"right"}',
  ])
})

it(keeps('model.bad-arguments', 'three times in a row is an upstream_error'), async () => {
  const wrong = { call: [{ name: 'count', arguments: '{"label": ' }] }
  const { stream } = await run(wrong, wrong, wrong)
  expect(stream.final?.data).toMatchObject({ code: 'upstream_error', details: { provider: 'openai' } })
})

it(keeps('model.bad-arguments', 'a tool that does not exist is told to the model as well'), async () => {
  const { stream } = await run({ call: [{ name: 'no_such_tool', arguments: {} }] }, { say: 'Never mind.' })
  expect(stream.final?.type).toBe('message_end')
})

it.each(['length', 'content_filter'] as const)(
  keeps('model.finish', 'ended by %s, also when it is read again'),
  async (finish) => {
    const { stream, turn, turnId, log, reply } = await run({ say: 'It was a dark and', finish })
    expect([stream.final?.type, stream.final?.data.finish_reason]).toEqual(['message_end', finish])
    expect([turn.status, reply]).toEqual(['completed', 'It was a dark and'])
    expect(log.entries[0].output).toMatchObject({ finish_reason: finish })
    const again = await stage.follow(muxi.url, turnId)
    expect((await again.untilFinal()).data).toEqual(stream.final?.data)
  },
)

it(keeps('model.finish', 'of a whole reply is stop'), async () => {
  const { stream } = await run({ say: 'All of it.' })
  expect(stream.final?.data.finish_reason).toBe('stop')
})

it(
  keeps('model.finish', 'a filter that leaves nothing is an upstream_error, and the model is not asked again'),
  async () => {
    const { stream, turn } = await run({ say: '', finish: 'content_filter' })
    expect(stream.final?.data).toMatchObject({ code: 'upstream_error', details: { provider: 'openai' } })
    expect(turn.status).toBe('failed')
  },
)

it(keeps('model.cut-call', 'the calls before it are made'), async () => {
  const { cue, stream, turn, reply, log } = await run(
    {
      call: [
        { name: 'count', arguments: { label: 'before the cut' } },
        { name: 'count', arguments: '{"label": "cu' },
      ],
      finish: 'length',
    },
    { say: 'Counted one.' },
  )
  expect([stream.final?.data.finish_reason, reply]).toEqual(['stop', 'Counted one.'])
  expect(stage.counted()).toContain('before the cut')
  expect(stage.counted()).not.toContain('cu')
  const told = stage.model.requests(cue)[1]!.messages.slice(-3)
  expect(told.map(({ role, content }) => [role, content])).toEqual([
    ['assistant', expect.anything()],
    ['tool', '{"counted":"before the cut"}'],
    ['tool', expect.stringContaining('length limit')],
  ])
  expect(turn.message.agent_response.tool_calls).toMatchObject([
    { id: 'call_1_1', is_error: false },
    { id: 'call_1_2', is_error: true, output: expect.stringContaining('length limit') },
  ])
  const ends = stream.events.filter(({ type }) => type === 'tool_call_end').map(({ data }) => [data.id, data.is_error])
  expect(ends.toSorted()).toEqual([
    ['call_1_1', false],
    ['call_1_2', true],
  ])
  expect(log.entries.filter(({ status }: { status: string }) => status === 'failed')).toMatchObject([
    { kind: 'tool_call', name: 'count', error: { message: expect.stringContaining('length limit') } },
  ])
})

it(keeps('model.cut-call', 'the model writes a shorter one'), async () => {
  const { cue, stream } = await run(
    { call: [{ name: 'count', arguments: '{"label": "far too l' }], finish: 'length' },
    { call: [{ name: 'count', arguments: { label: 'short' } }] },
    { say: 'Counted.' },
  )
  expect(stream.final?.type).toBe('message_end')
  expect(stage.counted()).toContain('short')
  expect(stage.model.requests(cue)).toHaveLength(3)
})

it(keeps('model.cut-call', 'three times in a row is an upstream_error'), async () => {
  const cut = { call: [{ name: 'count', arguments: '{"label": "cu' }], finish: 'length' as const }
  const { stream } = await run(cut, cut, cut)
  expect(stream.final?.data).toMatchObject({ code: 'upstream_error', details: { provider: 'openai' } })
})

it(keeps('model.many-calls', 'those beyond are not made, and the model is told so'), async () => {
  const call = Array.from({ length: 18 }, (_, index) => ({ name: 'count', arguments: { label: `many ${index}` } }))
  const { cue, stream } = await run({ call }, { say: 'Counted some.' })
  expect(stream.final?.type).toBe('message_end')
  expect(stage.counted().filter((label) => label.startsWith('many'))).toHaveLength(16)
  const told = stage.model.requests(cue)[1]!.messages.filter(({ role }) => role === 'tool')
  expect(told).toHaveLength(18)
  for (const { content } of told.slice(16)) expect(content).toContain('at most 16 calls')
})

it(
  keeps('model.reasoning', 'is no part of the reply, and goes back to its model with the call it led to'),
  async () => {
    const model = { provider: 'openai', model: 'o4-mini' }
    const agent = { id: 'thinker', description: 'Reasons.', system_message: 'Answer.', model }
    expect((await stage.call(muxi.url, '/api/v1/agents', { body: agent })).status).toBe(201)
    const cue = stage.model.script(
      { call: [{ name: 'count', arguments: { label: 'thought of' } }], reasoning: 'I should count.' },
      { say: 'Counted.', reasoning: 'That was it.' },
    )
    const stream = await stage.chat(muxi.url, cue, { agent: 'thinker' })
    expect((await stream.untilFinal()).type).toBe('message_end')
    expect(stream.text).toBe('Counted.')
    const asked = stage.model.requests(cue)[1]!.messages.find(({ role }) => role === 'assistant')
    expect(asked).toMatchObject({ reasoning_content: 'I should count.' })
    const { body: log } = await stage.call(muxi.url, `/api/v1/turns/${stream.events[0]!.data.turn_id}/log`)
    expect(log.entries[0].output).toMatchObject({ reasoning: 'I should count.' })
  },
)

it(keeps('model.401', 'is not asked again, and the key is shown nowhere'), async () => {
  const { stream, turn, log } = await run({ fail: 401, words: `Incorrect API key provided: ${MODEL_KEY}` })
  expect(stream.final?.data).toMatchObject({ code: 'upstream_error', details: { provider: 'openai', status: 401 } })
  expect(turn.status).toBe('failed')
  for (const shown of [stream.raw, JSON.stringify(turn), JSON.stringify(log), muxi.stderr(), muxi.stdout()])
    expect(shown).not.toContain(MODEL_KEY)
  const answer = await stage.call(muxi.url, '/api/v1/agents/scripted/chat', {
    body: { content: stage.model.script({ fail: 401 }) },
  })
  expect([answer.status, answer.body.error.code]).toEqual([502, 'upstream_error'])
  expect(answer.body.error.details).toMatchObject({ provider: 'openai', status: 401 })
})

it(
  keeps('model.fallback', 'after the last attempt at the first model, and what the first had said is withdrawn'),
  async () => {
    const model = { provider: 'openai', model: 'first', fallbacks: [{ provider: 'openai', model: 'second' }] }
    const agent = { id: 'chained', description: 'Has two models.', system_message: 'Answer.', model }
    expect((await stage.call(muxi.url, '/api/v1/agents', { body: agent })).status).toBe(201)
    const cue = stage.model.script(
      { say: manyWords('first', 40), pieces_per_second: 50, break_after_pieces: 10 },
      { fail: 500 },
      { fail: 500 },
      { fail: 500 },
      { fail: 500 },
      { say: 'I am the second.' },
    )
    const stream = await stage.chat(muxi.url, cue, { agent: 'chained' })
    expect((await stream.untilFinal()).type).toBe('message_end')
    expect((await stage.turn(muxi.url, stream.events[0]!.data.turn_id)).message.agent_response.content).toBe(
      'I am the second.',
    )
    expect(stage.model.requests(cue).map(({ model: name }) => name)).toEqual([
      'first',
      'first',
      'first',
      'first',
      'first',
      'second',
    ])
  },
)

it(keeps('model.circuit', 'is passed over by the next message at once, and shown in /system/status'), async () => {
  const cue = stage.model.script({ say: 'I am still the second.' })
  const stream = await stage.chat(muxi.url, cue, { agent: 'chained' })
  expect((await stream.untilFinal()).type).toBe('message_end')
  expect(stage.model.requests(cue).map(({ model: name }) => name)).toEqual(['second'])
  const { body } = await stage.call(muxi.url, '/api/v1/system/status')
  expect(body).toMatchObject({
    status: 'degraded',
    database_status: 'ok',
    models: { 'openai:first': { state: 'open', failures: 5 }, 'openai:second': { state: 'closed' } },
  })
})
