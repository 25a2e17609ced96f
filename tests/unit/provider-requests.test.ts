// What each vendor is sent: reasoning goes back with its signature to the vendor that gave it, and to no other.
import { describe, expect, it } from 'vitest'
import type { AssistantPart, ModelMessage } from '../../contracts/model-messages.ts'
import { readMessage } from '../../providers/anthropic-reader.ts'
import { toAnthropicParams } from '../../providers/anthropic-request.ts'
import { dialectOf } from '../../providers/dialects.ts'
import { readContent } from '../../providers/gemini-reader.ts'
import { toGeminiParams } from '../../providers/gemini-request.ts'
import { toParams } from '../../providers/openai-request.ts'
import type { GenerateRequest } from '../../providers/provider.ts'
import { readResponse } from '../../providers/responses-reader.ts'
import { toResponsesParams } from '../../providers/responses-request.ts'
import { strictSchema } from '../../providers/strict-schema.ts'

const TOOL = { name: 'look', description: 'Looks', parameters: { type: 'object', properties: {} } }
const user = (text: string): ModelMessage => ({ role: 'user', parts: [{ type: 'text', text }] })
const ask = (fields: Partial<GenerateRequest> = {}): GenerateRequest => ({
  model: 'm',
  system: 'S',
  messages: [user('Q')],
  tools: [],
  passages: [],
  ...fields,
})
/** A turn in which the model has called a tool with these parts. */
function afterCall(parts: AssistantPart[]): ModelMessage[] {
  const call = parts.find((part) => part.type === 'tool_call')!
  const result = { type: 'tool_result' as const, call_id: call.id, name: call.name, is_error: false }
  return [
    user('Q'),
    { role: 'assistant', parts },
    { role: 'tool', parts: [{ ...result, content: [{ type: 'text', text: 'R' }] }] },
  ]
}
async function* stream(events: unknown[]) {
  yield* events
}
const nothing = async () => undefined
const FOREIGN: AssistantPart[] = [
  { type: 'reasoning', text: 'of another vendor', metadata: { field: 'reasoning' } },
  { type: 'tool_call', id: 'functions.look:0', name: 'look', arguments: '{"a":1}' },
]

describe('anthropic', () => {
  const EVENTS = [
    {
      type: 'message_start',
      message: {
        usage: { input_tokens: 5, cache_read_input_tokens: 100, cache_creation_input_tokens: 10, output_tokens: 1 },
      },
    },
    { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'Hm.' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 'SIG' } },
    { type: 'content_block_start', index: 1, content_block: { type: 'redacted_thinking', data: 'HIDDEN' } },
    {
      type: 'content_block_start',
      index: 2,
      content_block: { type: 'tool_use', id: 'toolu_1', name: 'look', input: {} },
    },
    { type: 'content_block_delta', index: 2, delta: { type: 'input_json_delta', partial_json: '{"n":1234567890' } },
    { type: 'content_block_delta', index: 2, delta: { type: 'input_json_delta', partial_json: '1234567890}' } },
    {
      type: 'message_delta',
      delta: { stop_reason: 'tool_use' },
      usage: { output_tokens: 9, output_tokens_details: { thinking_tokens: 4 } },
    },
    { type: 'message_stop' },
  ]

  it('gets its reasoning back, signed and redacted, in front of the call that it led to', async () => {
    const reply = await readMessage(stream(EVENTS), nothing, 'anthropic')
    expect(reply.usage).toEqual({
      input_tokens: 115,
      output_tokens: 9,
      cached_tokens: 100,
      cache_write_tokens: 10,
      reasoning_tokens: 4,
    })
    const { params } = toAnthropicParams(ask({ messages: afterCall(reply.parts), tools: [TOOL] }))
    expect(JSON.stringify(params.messages[1])).toBe(
      '{"role":"assistant","content":[{"type":"thinking","thinking":"Hm.","signature":"SIG"},{"type":"redacted_thinking","data":"HIDDEN"},{"type":"tool_use","id":"toolu_1","name":"look","input":{"n":12345678901234567890}}]}',
    )
    expect(params.system).toEqual([{ type: 'text', text: 'S', cache_control: { type: 'ephemeral' } }])
    expect(params.messages[2]).toMatchObject({
      role: 'user',
      content: [{ type: 'tool_result', tool_use_id: 'toolu_1', cache_control: { type: 'ephemeral' } }],
    })
  })

  it('gets no reasoning of another vendor, an id that it takes, and does not reason within a budget after it', () => {
    const { params, warnings } = toAnthropicParams(
      ask({ model: 'claude-sonnet-4-5', reasoning: 'high', temperature: 0.5, messages: afterCall(FOREIGN) }),
    )
    expect(JSON.stringify(params)).not.toContain('of another vendor')
    expect(params.messages[1]).toMatchObject({ content: [{ type: 'tool_use', id: 'call00001', input: { a: 1 } }] })
    expect(params.messages[2]).toMatchObject({ content: [{ tool_use_id: 'call00001' }] })
    expect(params.thinking).toBeUndefined()
    expect(params).toMatchObject({ temperature: 0.5 })
    expect(warnings).toHaveLength(1)
  })

  it.each([
    ['claude-sonnet-4-5', { thinking: { type: 'enabled', budget_tokens: 8_192 } }],
    ['claude-sonnet-5', { thinking: { type: 'adaptive', display: 'summarized' }, output_config: { effort: 'medium' } }],
  ])('%s is told how much to reason', (model, expected) => {
    const { params } = toAnthropicParams(ask({ model, reasoning: 'medium', temperature: 1 }))
    expect(params).toMatchObject(expected)
    expect(params).not.toHaveProperty('temperature')
  })

  it('asks for no longer reply than the context window has room for', () => {
    const tokens = (fields: object) =>
      toAnthropicParams(ask({ model: 'claude-sonnet-4-5', ...fields })).params.max_tokens
    expect([tokens({}), tokens({ output_room: 900 }), tokens({ output_room: 900, max_output_tokens: 50 })]).toEqual([
      32_000, 900, 50,
    ])
  })
})

it.each([
  ['claude-3-haiku-20240307', true],
  ['claude-sonnet-4-20250514', true],
  ['claude-haiku-4-5-20251001', true],
  ['claude-opus-4-6', true],
  ['claude-opus-4-7', false],
  ['claude-sonnet-5', false],
  ['of-another-server', true],
])('%s takes a temperature: %s', (model, takes) => {
  const { params, warnings } = toAnthropicParams(ask({ model, temperature: 0.5 }))
  expect('temperature' in params).toBe(takes)
  expect(warnings).toHaveLength(takes ? 0 : 1)
})

describe('gemini', () => {
  const CHUNKS = [
    {
      candidates: [
        {
          content: {
            parts: [
              { text: 'Hm.', thought: true },
              { text: 'So: ', thoughtSignature: 'S1' },
            ],
          },
        },
      ],
    },
    {
      candidates: [
        {
          content: { parts: [{ functionCall: { name: 'look', args: { a: 1 }, id: 'fc_1' }, thoughtSignature: 'S2' }] },
          finishReason: 'STOP',
        },
      ],
      usageMetadata: {
        promptTokenCount: 7,
        candidatesTokenCount: 2,
        thoughtsTokenCount: 3,
        cachedContentTokenCount: 4,
      },
    },
  ]

  it('gets its signatures back on the parts that they came with', async () => {
    const reply = await readContent(stream(CHUNKS), nothing, 'gemini')
    expect(reply).toMatchObject({
      finish_reason: 'tool_calls',
      usage: { input_tokens: 7, output_tokens: 5, cached_tokens: 4, reasoning_tokens: 3 },
    })
    const { params } = toGeminiParams(ask({ model: 'gemini-3-pro', messages: afterCall(reply.parts) }))
    expect(params.contents).toMatchObject([
      { role: 'user' },
      {
        role: 'model',
        parts: [
          { text: 'So: ', thoughtSignature: 'S1' },
          { functionCall: { id: 'fc_1', name: 'look', args: { a: 1 } }, thoughtSignature: 'S2' },
        ],
      },
      { role: 'user', parts: [{ functionResponse: { id: 'fc_1', name: 'look', response: { output: 'R' } } }] },
    ])
    expect(JSON.stringify(params)).not.toContain('Hm.')
  })

  it.each([
    ['gemini-3-pro', { thoughtSignature: 'skip_thought_signature_validator' }],
    ['gemini-2.5-pro', {}],
  ])('%s takes the calls of another vendor', (model, signed) => {
    const { params } = toGeminiParams(ask({ model, messages: afterCall(FOREIGN) }))
    expect(params.contents).toMatchObject([
      {},
      { role: 'model', parts: [{ functionCall: { name: 'look', args: { a: 1 } }, ...signed }] },
      {},
    ])
    expect(JSON.stringify(params)).not.toContain('of another vendor')
  })
})

describe('responses', () => {
  const item = {
    type: 'reasoning',
    id: 'rs_1',
    encrypted_content: 'ENC',
    summary: [{ type: 'summary_text', text: 'Hm.' }],
  }
  const EVENTS = [
    { type: 'response.output_item.done', output_index: 0, item },
    {
      type: 'response.output_item.added',
      output_index: 1,
      item: { type: 'function_call', call_id: 'call_1', name: 'look', arguments: '' },
    },
    { type: 'response.function_call_arguments.delta', output_index: 1, delta: '{"a":' },
    { type: 'response.function_call_arguments.delta', output_index: 1, delta: '1}' },
    {
      type: 'response.output_item.done',
      output_index: 1,
      item: { type: 'function_call', call_id: 'call_1', name: 'look', arguments: '{"a":1}' },
    },
    {
      type: 'response.completed',
      response: {
        status: 'completed',
        usage: {
          input_tokens: 5,
          output_tokens: 6,
          input_tokens_details: { cached_tokens: 2 },
          output_tokens_details: { reasoning_tokens: 4 },
        },
      },
    },
  ]

  it('get their reasoning back encrypted, in front of the call that it led to', async () => {
    const reply = await readResponse(stream(EVENTS), nothing, 'openai')
    expect(reply).toMatchObject({
      finish_reason: 'tool_calls',
      usage: { input_tokens: 5, output_tokens: 6, cached_tokens: 2, reasoning_tokens: 4 },
    })
    const { params } = toResponsesParams(ask({ model: 'o3', messages: afterCall(reply.parts) }))
    expect(params).toMatchObject({ store: false, include: ['reasoning.encrypted_content'], instructions: 'S' })
    expect(params.input).toMatchObject([
      { role: 'user' },
      item,
      { type: 'function_call', call_id: 'call_1', arguments: '{"a":1}' },
      { type: 'function_call_output', call_id: 'call_1', output: 'R' },
    ])
  })

  it('get no reasoning of another vendor', () => {
    const { params } = toResponsesParams(ask({ messages: afterCall(FOREIGN) }))
    expect(JSON.stringify(params)).not.toContain('of another vendor')
    expect(params.include).toBeUndefined()
  })
})

describe('chat completions', () => {
  it.each([
    [
      'openai',
      undefined,
      { max_completion_tokens: 9, reasoning_effort: 'low', stream_options: { include_usage: true } },
    ],
    ['openai', 'http://x/v1', { max_tokens: 9, reasoning_effort: 'low' }],
    ['deepseek', 'http://x/v1', { max_tokens: 9, thinking: { type: 'enabled' } }],
    ['openrouter', 'http://x/v1', { reasoning: { effort: 'low' } }],
  ])('of %s at %s are asked in its own words', (vendor, url, expected) => {
    const request = ask({ max_output_tokens: 9, reasoning: 'low', response_schema: { type: 'object' } })
    expect(toParams(request, dialectOf(vendor, url)).params).toMatchObject(expected)
  })

  it('of Mistral have ids of nine letters and digits, also of calls of another vendor', () => {
    const { params } = toParams(ask({ messages: afterCall(FOREIGN) }), dialectOf('mistral', 'http://x/v1'))
    expect(params.messages).toMatchObject([
      {},
      {},
      { tool_calls: [{ id: 'call00001' }] },
      { tool_call_id: 'call00001' },
    ])
    expect(params.stream_options).toBeUndefined()
  })
})

it('a schema of answers is closed, and in strict mode all is required and what was not may be null', () => {
  const schema = {
    type: 'object',
    properties: {
      a: { type: 'string', minLength: 2 },
      b: { type: 'array', items: { type: 'object', properties: {} } },
    },
    required: ['a'],
  }
  expect(strictSchema(schema)).toEqual({
    type: 'object',
    properties: {
      a: { type: 'string' },
      b: { type: 'array', items: { type: 'object', properties: {}, additionalProperties: false } },
    },
    required: ['a'],
    additionalProperties: false,
  })
  expect(strictSchema(schema, true)).toMatchObject({
    required: ['a', 'b'],
    properties: { b: { anyOf: [{ type: 'array' }, { type: 'null' }] } },
  })
})

it('what decides how a reply is sampled goes to the vendors that know it, and is left out with a warning elsewhere', () => {
  const asked = ask({ stop: ['END', ' '], seed: 2 ** 40 + 7, frequency_penalty: 0.5, presence_penalty: -1 })
  const named = { stop: ['END', ' '], seed: 2 ** 40 + 7, frequency_penalty: 0.5, presence_penalty: -1 }
  expect(toParams(asked)).toMatchObject({ params: named, warnings: [] })
  expect(toParams(asked, dialectOf('mistral', undefined)).params).toMatchObject({ random_seed: named.seed })
  expect(toGeminiParams(asked).params.config).toMatchObject({
    stopSequences: named.stop,
    seed: 7,
    frequencyPenalty: 0.5,
    presencePenalty: -1,
  })
  const anthropic = toAnthropicParams(asked)
  expect(anthropic.params).toMatchObject({ stop_sequences: ['END'] })
  expect(anthropic.warnings).toHaveLength(3)
  const responses = toResponsesParams(asked)
  expect(Object.keys(responses.params).filter((name) => name in named)).toEqual([])
  expect(responses.warnings).toHaveLength(4)
})

it('a tool is strict where its caller says so', () => {
  const tools = [{ ...TOOL, strict: true }, TOOL]
  expect(toParams(ask({ tools })).params.tools).toEqual([
    { type: 'function', function: { ...TOOL, strict: true } },
    { type: 'function', function: TOOL },
  ])
  expect(toResponsesParams(ask({ tools })).params.tools).toMatchObject([{ strict: true }, { strict: false }])
})

it('a refusal of responses is text of its own kind, streamed or not', async () => {
  const types: string[] = []
  const item = { type: 'message', content: [{ type: 'refusal', refusal: 'No.' }] }
  const ended = { type: 'response.completed', response: { status: 'completed' } }
  const streamed = [{ type: 'response.refusal.delta', output_index: 0, delta: 'No.' }]
  for (const events of [streamed, []]) {
    const done = { type: 'response.output_item.done', output_index: 0, item }
    const read = readResponse(stream([...events, done, ended]), async ({ type }) => void types.push(type), 'openai')
    expect(await read).toMatchObject({ parts: [{ type: 'text', text: 'No.' }], finish_reason: 'refusal' })
  }
  expect(types).toEqual(['refusal', 'refusal'])
})
