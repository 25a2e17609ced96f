// The reducer of the client: the message that the events of a turn make.
import { expect, it } from 'vitest'
import { applyEvent, emptyMessage, type Message } from '../../client/turns/message.ts'
import { type NewEvent } from '../../contracts/events.ts'

const START = [
  { type: 'accepted', data: { turn_id: 'turn_1', conversation_id: 'conv_1', message_id: 'msg_1' } },
  {
    type: 'message_start',
    data: {
      id: 'msg_1',
      turn_id: 'turn_1',
      conversation_id: 'conv_1',
      agent_id: 'tea',
      routing_confidence: 0.9,
      created_at: '2026-01-01T00:00:00.000Z',
    },
  },
] satisfies NewEvent[]
const say = (content: string, step = 1): NewEvent => ({ type: 'content', data: { content, step } })
const reset = (content: string, step = 1): NewEvent => ({
  type: 'content_reset',
  data: { step, reason: 'interrupted', content },
})
const USAGE = { input_tokens: 1, output_tokens: 2 }
const END: NewEvent = { type: 'message_end', data: { id: 'msg_1', usage: USAGE, finish_reason: 'stop' } }
const after = (...events: NewEvent[]) => events.reduce<Message>(applyEvent, emptyMessage())

it('a turn that is not accepted yet is pending, without ids', () => {
  expect(emptyMessage()).toEqual({
    id: '',
    turn_id: '',
    conversation_id: '',
    agent_id: '',
    status: 'pending',
    text: '',
    tool_calls: [],
    approvals: [],
  })
})

it('ids, agent, text, usage and the reason of the end are those of the events', () => {
  expect(after(...START, say('Assam '), say('tea.'), END)).toEqual({
    id: 'msg_1',
    turn_id: 'turn_1',
    conversation_id: 'conv_1',
    agent_id: 'tea',
    routing_confidence: 0.9,
    status: 'completed',
    text: 'Assam tea.',
    tool_calls: [],
    approvals: [],
    usage: USAGE,
    finish_reason: 'stop',
  })
})

it('a reset takes the place of the text of all steps', () => {
  const { text } = after(...START, say('One. '), say('Tw', 2), reset('One. ', 2), say('Two.', 2))
  expect(text).toBe('One. Two.')
  expect(after(...START, say('Half'), reset('')).text).toBe('')
})

it('tools have parameters, progress and output; a handover names the agent that goes on', () => {
  const call = { id: 'call_1_1', name: 'calculate', server: 'builtin', parameters: { expression: '6 * 7' } }
  const events: NewEvent[] = [
    ...START,
    { type: 'tool_call_start', data: call },
    { type: 'tool_call_progress', data: { id: 'call_1_1', progress: 1, total: 2, message: 'half' } },
  ]
  const progress = { progress: 1, total: 2, message: 'half' }
  expect(after(...events).tool_calls).toEqual([{ ...call, progress }])
  const ended = after(...events, {
    type: 'tool_call_end',
    data: { id: 'call_1_1', output: '42', is_error: false, agent_id: 'coffee' },
  })
  expect(ended.tool_calls).toEqual([{ ...call, progress, output: '42', is_error: false }])
  expect(ended.agent_id).toBe('coffee')
  const handed = after(...events, { type: 'message_end', data: { id: 'msg_1', usage: USAGE, agent_id: 'mate' } })
  expect(handed.agent_id).toBe('mate')
})

it('waits while an approval is undecided, and goes on when all are decided', () => {
  const ask = (id: string): NewEvent => ({
    type: 'approval_required',
    data: { id, call_id: 'call_1_1', kind: 'sign_in', name: 'send_mail', server: 'mail', url: 'https://x.test' },
  })
  const decide = (id: string): NewEvent => ({ type: 'approval_decided', data: { id, decision: 'approve' } })
  const asked = [...START, ask('appr_1'), ask('appr_2'), decide('appr_1')]
  expect(after(...asked).status).toBe('awaiting_approval')
  const decided = after(...asked, decide('appr_2'))
  expect(decided.status).toBe('running')
  expect(decided.approvals.map(({ id, url, decision }) => [id, url, decision])).toEqual([
    ['appr_1', 'https://x.test', 'approve'],
    ['appr_2', 'https://x.test', 'approve'],
  ])
})

it('a cancelled or failed turn keeps its text', () => {
  expect(after(...START, say('Half'), { type: 'cancelled', data: { id: 'msg_1' } })).toMatchObject({
    status: 'cancelled',
    text: 'Half',
  })
  const error = { code: 'upstream_error', message: 'No.' } as const
  expect(after(...START, say('Half'), { type: 'error', data: error })).toMatchObject({
    status: 'failed',
    text: 'Half',
    error,
  })
})

it('changes no earlier message, and leaves events of later versions alone', () => {
  const before = Object.freeze(after(...START, say('One')))
  expect(applyEvent(before, say(' two')).text).toBe('One two')
  expect(before.text).toBe('One')
  expect(applyEvent(before, { type: 'news', data: {} } as unknown as NewEvent)).toBe(before)
})
