// Turns that one agent hands over to another, which answers them.
import { afterEach, beforeAll, expect, it, vi } from 'vitest'
import { HeldReply } from '../support/held-reply.ts'
import { scriptedAgent } from '../support/scripted-agent.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

const agent = (name: string, fields: object = {}) =>
  scriptedAgent({
    description: `Answers what is for ${name}.`,
    system_message: `You are ${name}.`,
    model: { provider: 'openai', model: `model-of-${name}` },
    ...fields,
  })

let stage: Stage
let api: Muxi
let worker: Muxi
beforeAll(async () => {
  stage = await openStage({
    agents: {
      desk: agent('desk', { handoffs: ['billing', 'returns'], agent_tools: ['returns'] }),
      billing: agent('billing', {
        handoffs: ['desk'],
        knowledge: [{ id: 'prices', content: 'The yearly plan costs 49 euros.' }],
      }),
      returns: agent('returns', { handoffs: ['billing'] }),
    },
  })
  api = await stage.start('api')
  worker = await stage.start('worker')
  await vi.waitFor(async () => expect(await stage.rows('select status from jobs')).toEqual([{ status: 'completed' }]), {
    timeout: 20_000,
    interval: 100,
  })
  return () => stage.close()
})

afterEach(async () => {
  stage.model.assertUsed()
  await stage.check({ unsent: 2 })
})

const transfer = (id: string, reason = 'It is theirs.') => ({ name: `transfer_to_${id}`, arguments: { reason } })

async function begin(content: string, conversation_id?: string) {
  const id = conversation_id ?? (await stage.conversation(api.url, { agent_id: 'desk' }))
  const stream = await stage.chat(api.url, content, { agent: 'desk', conversation_id: id })
  const { turn_id } = (await stream.waitFor('accepted')).data as { turn_id: string }
  return { stream, turn_id, conversation_id: id }
}

/** Which agents were asked, by their instructions. */
const asked = (cue: string) =>
  stage.model.requests(cue).map(({ messages }) => /You are (\w+)/.exec(JSON.stringify(messages[0]!.content))?.[1])

it(
  keeps('agents.handoff', 'the other agent goes on with its own model, instructions and tools, and sees all'),
  async () => {
    const cue = stage.model.script({ say: 'Let me see. ', call: [transfer('billing')] }, { say: 'It costs 49 euros.' })
    const { stream, turn_id } = await begin(`What does it cost? ${cue}`)
    const end = await stream.untilFinal()
    expect(stream.events.map(({ type }) => type)).toEqual([
      'accepted',
      'message_start',
      'content',
      'tool_call_start',
      'tool_call_end',
      'content',
      'message_end',
    ])
    const [start, ended] = ['message_start', 'tool_call_end'].map(
      (type) => stream.events.find((e) => e.type === type)!.data,
    )
    expect([start.agent_id, ended.agent_id, end.data.agent_id]).toEqual(['desk', 'billing', 'billing'])
    expect(asked(cue)).toEqual(['desk', 'billing'])
    const [first, second] = stage.model.requests(cue)
    expect([first!.model, second!.model]).toEqual(['model-of-desk', 'model-of-billing'])
    const toolsOf = (request: typeof first) => request!.tools!.map((tool) => tool.function.name)
    expect(toolsOf(first)).toEqual(
      expect.arrayContaining(['ask_returns', 'transfer_to_billing', 'transfer_to_returns']),
    )
    expect(toolsOf(second)).toContain('transfer_to_desk')
    expect(toolsOf(second)).not.toContain('transfer_to_returns')
    expect(second!.messages.map(({ role }) => role).slice(-3)).toEqual(['user', 'assistant', 'tool'])
    expect(await stage.turn(api.url, turn_id)).toMatchObject({
      agent_id: 'billing',
      status: 'completed',
      message: { agent_response: { content: expect.stringMatching(/Let me see.*49 euros/s) } },
    })
  },
)

it(keeps('agents.handoff', 'the next message of the conversation goes to its own agent again'), async () => {
  const cue = stage.model.script({ call: [transfer('billing')] }, { say: 'Paid.' })
  const first = await begin(cue)
  await first.stream.untilFinal()
  const next = stage.model.script({ say: 'Hello again.' })
  const second = await begin(next, first.conversation_id)
  expect((await second.stream.untilFinal()).data.agent_id).toBeUndefined()
  expect(asked(next)).toEqual(['desk'])
})

it(keeps('agents.handoff', 'knowledge of the other agent is searched'), async () => {
  await expect
    .poll(async () => (await stage.call(api.url, '/api/v1/jobs?status=completed')).body.jobs.length, {
      timeout: 30_000,
    })
    .toBeGreaterThan(0)
  const cue = stage.model.script({ call: [transfer('billing')] }, { say: '49.' })
  const { stream, turn_id } = await begin(`What does the yearly plan cost? ${cue}`)
  await stream.untilFinal()
  const [first, second] = stage.model.requests(cue).map(({ messages }) => JSON.stringify(messages))
  expect(first).not.toContain('49 euros')
  expect(second).toContain('49 euros')
  const { body: log } = await stage.call(api.url, `/api/v1/turns/${turn_id}/log`)
  expect(log.entries.map(({ kind, name }: Record<string, string>) => `${kind} ${name}`)).toEqual([
    'model_call model-of-desk',
    'tool_call transfer_to_billing',
    expect.stringContaining('recall'),
    'model_call model-of-billing',
  ])
})

it(keeps('agents.handoff', 'one step hands over to one agent; other calls of the step are made before'), async () => {
  const cue = stage.model.script(
    { call: [transfer('billing'), { name: 'count', arguments: { label: 'before' } }, transfer('returns')] },
    { say: 'Mine.' },
  )
  const { stream } = await begin(cue)
  await stream.untilFinal()
  const ends = stream.events.filter(({ type }) => type === 'tool_call_end').map(({ data }) => [data.id, data.is_error])
  expect(ends).toEqual([
    ['call_1_2', false],
    ['call_1_1', false],
    ['call_1_3', true],
  ])
  expect(asked(cue)).toEqual(['desk', 'billing'])
})

it(keeps('agents.handoff-bound', 'agents that hand a turn to each other again and again have to answer'), async () => {
  const there = { call: [transfer('billing')] }
  const back = { call: [transfer('desk')] }
  const cue = stage.model.script(there, back, there, back, there, back, { say: 'Then I answer.' })
  const { stream } = await begin(cue)
  expect((await stream.untilFinal()).type).toBe('message_end')
  expect(asked(cue)).toEqual(['desk', 'billing', 'desk', 'billing', 'desk', 'billing', 'billing'])
  const ends = stream.events.filter(({ type }) => type === 'tool_call_end')
  expect(ends.map(({ data }) => data.is_error)).toEqual([false, false, false, false, false, true])
  expect(ends.at(-1)!.data.output).toContain('5 times')
})

it(keeps('agents.handoff', 'an agent that is asked hands its turn over too'), async () => {
  const below = stage.model.script({ call: [transfer('billing')] }, { say: 'From billing.' })
  const cue = stage.model.script({ call: [{ name: 'ask_returns', arguments: { message: below } }] }, { say: 'Told.' })
  const { stream } = await begin(cue)
  await stream.untilFinal()
  expect(stage.model.requests(cue).at(-1)!.messages.at(-1)?.content).toBe('From billing.')
  expect(asked(below)).toEqual(['returns', 'billing'])
})

it(
  keeps('agents.handoff', 'a worker killed while the other agent answers: it answers once, and is not handed to again'),
  async () => {
    const cue = stage.model.script(
      { call: [transfer('billing')] },
      { say: manyWords('lost', 40), held: new HeldReply() },
      { say: 'Kept.' },
    )
    const { stream, turn_id } = await begin(cue)
    await stream.shows('lost-9 ')
    await worker.kill()
    worker = await stage.start('worker')
    expect((await stream.untilFinal()).data).toMatchObject({ agent_id: 'billing' })
    expect(asked(cue)).toEqual(['desk', 'billing', 'billing'])
    expect((await stage.turn(api.url, turn_id)).message.agent_response.content).toBe('Kept.')
  },
)

it(keeps('agents.handoff', 'the orchestrator sees who has answered last'), async () => {
  await stage.write([`delete from routing_decisions`])
  const conversation_id = (await stage.call(api.url, '/api/v1/conversations', { body: {} })).body.id
  const route = stage.model.script(
    { say: JSON.stringify({ agent_id: 'desk', confidence: 0.9 }) },
    { call: [transfer('billing')] },
    { say: 'Billed.' },
  )
  const stream = await stage.chat(api.url, route, { agent: 'auto', conversation_id })
  const end = await stream.untilFinal()
  expect(stream.events.find(({ type }) => type === 'message_start')?.data.agent_id).toBe('desk')
  expect(end.data.agent_id).toBe('billing')
  const next = stage.model.script(
    { say: JSON.stringify({ agent_id: 'billing', confidence: 0.9 }) },
    { say: 'Still billing.' },
  )
  const second = await stage.chat(api.url, next, { agent: 'auto', conversation_id })
  await second.untilFinal()
  expect(JSON.stringify(stage.model.requests(next)[0])).toContain('The agent that answered last: billing')
  expect(second.events.find(({ type }) => type === 'message_start')?.data.agent_id).toBe('billing')
})

it(keeps('agents.handoff', 'and finds what was attached earlier in the conversation'), async () => {
  const first = stage.model.script({ say: 'I have it.' })
  const data = Buffer.from('The notice period of the contract is seven weeks.').toString('base64')
  const conversation_id = await stage.conversation(api.url, { agent_id: 'desk' })
  const attachments = [{ type: 'text/plain', name: 'contract.txt', data }]
  const sent = await stage.chat(api.url, `Keep this. ${first}`, { agent: 'desk', conversation_id, attachments })
  expect((await sent.untilFinal()).type).toBe('message_end')
  const cue = stage.model.script(
    { call: [transfer('billing')] },
    { call: [{ name: 'search_knowledge', arguments: { query: 'notice period of the contract' } }] },
    { say: 'Seven weeks.' },
  )
  const { stream } = await begin(`How long is it? ${cue}`, conversation_id)
  expect((await stream.untilFinal()).type).toBe('message_end')
  const found = stream.events.filter(({ type }) => type === 'tool_call_end').at(-1)!.data
  expect(JSON.stringify(found.output)).toContain('seven weeks')
})
