// Which calls of a reply are made, which are refused, and what of the reply is kept for the next request.
import { expect, it, test } from 'vitest'
import { MAX_CALLS, planCalls, toStoredParts } from '../../activities/turn/plan-calls.ts'
import { partsOf } from '../../activities/turn/prompt.ts'
import type { ToolCallsTable } from '../../db/schema.ts'
import { usableReply } from '../../activities/metered-call.ts'
import { textPart, type AssistantPart, type FinishReason } from '../../contracts/model-messages.ts'

const reply = (finish_reason: FinishReason, parts: AssistantPart[]) => ({
  parts,
  finish_reason,
  usage: {},
  warnings: [],
})
const calls = (...texts: string[]) =>
  texts.map((text, index) => ({ type: 'tool_call' as const, id: `p${index}`, name: 'count', arguments: text }))
const refusals = (finish: FinishReason, ...texts: string[]) =>
  planCalls(1, reply(finish, calls(...texts)), []).map(({ refusal }) => refusal)

test.each<[FinishReason, string[], boolean[]]>([
  ['tool_calls', ['{"a":1}', '{"a":'], [false, false]],
  ['tool_calls', [''], [false]],
  ['length', ['{"a":1}', '{"a":'], [false, true]],
  ['length', ['{"a":1}'], [false]],
  ['length', ['', ''], [false, true]],
  ['length', ['12'], [true]],
  ['content_filter', ['{"a": "b'], [true]],
])('after %s the calls with %j are refused: %j', (finish, texts, expected) => {
  expect(refusals(finish, ...texts).map((refusal) => refusal !== undefined)).toEqual(expected)
})

it('the model is told which end cut the call', () => {
  expect(refusals('length', '{')[0]).toContain('length limit')
  expect(refusals('content_filter', '{')[0]).toContain('content filter')
})

it('calls beyond the limit of a step are refused', () => {
  const told = refusals('tool_calls', ...Array.from({ length: MAX_CALLS + 2 }, () => '{}'))
  expect(told.slice(0, MAX_CALLS).every((refusal) => refusal === undefined)).toBe(true)
  expect(told.slice(MAX_CALLS)).toEqual(Array(2).fill(expect.stringContaining(`at most ${MAX_CALLS} calls`)))
})

it('a reply of text and calls is stored without parts', () => {
  expect(toStoredParts(1, [textPart('Hi'), ...calls('{}')])).toBeUndefined()
})

it('reasoning and metadata are stored in order, each call by its id', () => {
  const [first, second] = calls('{}', '{}')
  const parts = toStoredParts(2, [
    { type: 'reasoning', text: 'Hm.', metadata: { field: 'reasoning' } },
    first!,
    { ...second!, metadata: { extra_content: {} } },
  ])
  expect(parts).toEqual([
    { type: 'reasoning', text: 'Hm.', metadata: { field: 'reasoning' } },
    { type: 'tool_call', call_id: 'call_2_1' },
    { type: 'tool_call', call_id: 'call_2_2', metadata: { extra_content: {} } },
  ])
})

it('reasoning and metadata are shown to the model that gave them, and to no other', () => {
  const call = { call_id: 'call_1_1', provider_call_id: 'p0', name: 'count', arguments: '{"edited":1}' }
  const parts = [
    { type: 'reasoning' as const, text: 'Hm.', metadata: { field: 'reasoning' } },
    { type: 'text' as const, text: 'Let me count.' },
    { type: 'tool_call' as const, call_id: 'call_1_1', metadata: { extra_content: {} } },
  ]
  const step = { provider: 'openai', model: 'a', content: 'Let me count.', calls: [call as ToolCallsTable], parts }
  const shownCall = { type: 'tool_call', id: 'p0', name: 'count', arguments: '{"edited":1}' }
  expect(partsOf(step, { provider: 'openai', model: 'a' })).toEqual([
    parts[0],
    parts[1],
    { ...shownCall, metadata: { extra_content: {} } },
  ])
  expect(partsOf(step, { provider: 'openai', model: 'b' })).toEqual([parts[1], shownCall])
})

it('usableReply() retries after an error, and gives up when a filter left nothing', () => {
  const failure =
    (finish: FinishReason, ...parts: AssistantPart[]) =>
    () =>
      usableReply(reply(finish, parts), 'openai')
  expect(failure('error', textPart('Hi'))).toThrow(expect.objectContaining({ kind: 'retry' }))
  expect(failure('content_filter', { type: 'reasoning', text: 'Hm.' })).toThrow(
    expect.objectContaining({ kind: 'final' }),
  )
  expect(failure('content_filter', textPart('Hi'))()).toMatchObject({ finish_reason: 'content_filter' })
  expect(failure('length')()).toMatchObject({ finish_reason: 'length' })
})
