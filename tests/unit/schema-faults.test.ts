// What an error says of a field that does not fit its schema: its path, and all that it may be.
import { Type } from '@sinclair/typebox'
import { describe, expect, it } from 'vitest'
import { checkFrame } from '../../api/socket-frames.ts'
import { schemaFaults } from '../../contracts/schemas/faults.ts'
import { ChatCompletionRequestSchema } from '../../contracts/schemas/openai-chat.ts'

const user = { role: 'user', content: 'Hello' }
const asked = (more: object) => ({ model: 'a', messages: [user], ...more })
const said = (schema: Parameters<typeof schemaFaults>[0], value: unknown) =>
  Object.fromEntries(schemaFaults(schema, value).map(({ path, expected }) => [path.join('.'), expected]))

it('says of an empty object that its keys must be left out', () => {
  const empty = Type.Object({}, { additionalProperties: false })
  expect(said(empty, { x: 1 })).toEqual({ x: 'left out' })
  expect(said(empty, [])).toEqual({ '': 'an empty object' })
})

describe('of a union', () => {
  const source = Type.Union([
    Type.Object({ by: Type.Literal('content'), content: Type.String() }),
    Type.Object({ by: Type.Literal('upload'), file_id: Type.String() }),
  ])

  it.each([
    ['the variant that is meant', { by: 'upload' }, { file_id: 'given (text)' }],
    ['every value of the key that tells them apart', { by: 'web' }, { by: "one of 'content', 'upload'" }],
    ['that key, when it is missing', {}, { by: "given (one of 'content', 'upload')" }],
  ])('names %s', (_, value, expected) => expect(said(source, value)).toEqual(expected))

  it.each([
    [{ tool_choice: 'foo' }, 'tool_choice', /^one of 'none', 'auto', 'required' or an object with the keys /],
    [{ response_format: { type: 'xml' } }, 'response_format.type', /^one of 'text', 'json_object', 'json_schema'$/],
    [{ response_format: { type: 'json_schema' } }, 'response_format.json_schema', /^given \(an object/],
    [{ messages: [{ role: 'robot' }] }, 'messages.0.role', /^one of 'system', 'developer', 'user', /],
    [
      { messages: [{ role: 'user', content: [{ type: 'video' }] }] },
      'messages.0.content.0.type',
      /^one of 'text', 'image_url', /,
    ],
    [{ messages: [] }, 'messages', /^a list, of 1 to \d+$/],
    [{ n: 2 }, 'n', /^1/],
  ])('in %j names %s and what it may be', (more, path, expected) => {
    expect(said(ChatCompletionRequestSchema, asked(more))).toEqual({ [path]: expect.stringMatching(expected) })
  })
})

it.each([
  [Type.String({ pattern: '^[a-z]{3}$' }), 'english', 'text that matches ^[a-z]{3}$'],
  [Type.String({ format: 'date-time' }), 'yesterday', 'an ISO-8601 time, such as 2026-11-29T09:41:07Z'],
  [Type.Number({ minimum: 0 }), -1, 'a number of at least 0'],
  [Type.Number({ maximum: 1 }), 2, 'a number of at most 1'],
  [Type.Integer({ minimum: 1, maximum: 5 }), 9, 'a whole number from 1 to 5'],
  [Type.Object({}), 7, 'an empty object'],
  [Type.Array(Type.String(), { minItems: 1 }), [], 'a list, of at least 1'],
  [
    Type.Array(Type.String(), { uniqueItems: true, maxItems: 3 }),
    ['a', 'a'],
    'a list without repetitions of at most 3',
  ],
])('says what %j takes', (schema, value, expected) => expect(said(schema, value)).toEqual({ '': expected }))

it.each([
  [{ type: 'nothing', id: 'c' }, 'type', /^one of chat, resume, cancel, /],
  [{ type: 'ping', id: 'c', data: { a: 1 } }, 'a', /^left out$/],
  [{ type: 'cancel', id: 'c', data: { a: 1, turn_id: 'turn_1' } }, 'a', /^left out: one of the keys turn_id$/],
])('of the frame %j names the field and what it may be', (frame, path, expected) => {
  const fault = expect.objectContaining({ path, expected: expect.stringMatching(expected) })
  expect(() => checkFrame(frame)).toThrow(
    expect.objectContaining({ code: 'bad_request', details: { fields: expect.arrayContaining([fault]) } }),
  )
})
