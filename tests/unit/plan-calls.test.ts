// Which calls of a reply are made, which are refused, and what of the reply is kept for the next request.
import { expect, it, test } from 'vitest'
import { MAX_CALLS, planCalls, toStoredParts } from '../../activities/plan-calls.ts'
import { usableReply } from '../../activities/metered-call.ts'
import { textPart, type AssistantPart, type FinishReason } from '../../contracts/model-messages.ts'

const reply = (finish_reason: FinishReason, parts: AssistantPart[]) => ({
  parts,
  finish_reason,
  usage: undefined,
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
