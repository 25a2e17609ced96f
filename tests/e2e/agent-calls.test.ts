// Agents that ask each other: each answer is a turn of its own in a hidden conversation, a child of the turn that asks.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

const agent = (fields: object) => ({
  description: 'Says what a test scripted.',
  system_message: 'You say what the test scripted.',
  model: { provider: 'openai', model: 'gpt-4.1-mini' },
  ...fields,
})

let stage: Stage
let api: Muxi
beforeAll(async () => {
  stage = await openStage({
    agents: {
      leader: agent({ agent_tools: ['researcher', 'writer'], handoffs: ['writer'] }),
      researcher: agent({ description: 'Finds things out.', agent_tools: ['leader', 'writer'] }),
      writer: agent({ description: 'Writes.', handoffs: ['leader'] }),
    },
  })
  api = await stage.start('api')
  await stage.start('worker')
  return () => stage.close()
})

afterEach(async () => {
  stage.model.assertUsed()
  await stage.check()
})

const asks = (id: string, message: string) => ({ name: `ask_${id}`, arguments: { message } })

/** Sends a message to an agent, in a conversation of its own. */
async function begin(content: string, agent_id = 'leader', more: object = {}) {
  const conversation_id = await stage.conversation(api.url, { agent_id })
  const stream = await stage.chat(api.url, content, { agent: agent_id, conversation_id, ...more })
  const { turn_id } = (await stream.waitFor('accepted')).data as { turn_id: string }
  return { stream, turn_id, conversation_id }
}

const toldTo = (cue: string) =>
  stage.model
    .requests(cue)
    .at(-1)!
    .messages.filter(({ role }) => role === 'tool')
    .map(({ content }) => content)

it(keeps('agents.ask', 'the answer of the other agent is the result of the call'), async () => {
  const asked = stage.model.script({ say: 'It is 42.' })
  const cue = stage.model.script({ say: 'I ask. ', call: [asks('researcher', `What is it? ${asked}`)] }, { say: '42.' })
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
  const start = stream.events.find(({ type }) => type === 'tool_call_start')!.data
  expect(start).toMatchObject({ name: 'ask_researcher', server: 'builtin', turn_id: expect.stringMatching(/^turn_/) })
  const child = await stage.turn(api.url, start.turn_id)
  expect(child).toMatchObject({ status: 'completed', agent_id: 'researcher', user_id: 'default' })
  expect((await stage.turn(api.url, turn_id)).message.agent_response.tool_calls).toMatchObject([
    { name: 'ask_researcher', output: 'It is 42.', is_error: false },
  ])
})
