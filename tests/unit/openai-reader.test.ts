// Chunks as OpenAI-compatible servers stream them, and the parts that are read from them.
import { describe, expect, it, test } from 'vitest'
import { readChunks, type Chunk } from '../../providers/openai-reader.ts'
import type { Delta } from '../../providers/provider.ts'

const content = (text: unknown): Chunk => ({ choices: [{ delta: { content: text } }] })
const call = (index: number, fields: object): Chunk => ({
  choices: [{ delta: { tool_calls: [{ index, ...fields }] } }],
})
const finish = (reason: string): Chunk => ({ choices: [{ delta: {}, finish_reason: reason }] })

async function read(...chunks: Chunk[]) {
  const deltas: Delta[] = []
  const stream = (async function* () {
    yield* chunks
  })()
  const hear = async (delta: Delta) => void deltas.push(delta)
  return { ...(await readChunks(stream, hear, 'openai')), deltas }
}

test.each([
  ['stop', 'stop'],
  ['eos', 'stop'],
  ['length', 'length'],
  ['model_length', 'length'],
  ['MAX_TOKENS', 'length'],
  ['content_filter', 'content_filter'],
  ['content-filter', 'content_filter'],
  ['error', 'error'],
  ['tool_calls', 'stop'],
])('the finish reason %s of a text is %s', async (told, expected) => {
  expect(await read(content('Hi'), finish(told))).toMatchObject({ finish_reason: expected, warnings: [] })
})

test.each([
  ['stop', 'tool_calls'],
  ['function_call', 'tool_calls'],
  ['length', 'length'],
  ['content_filter', 'content_filter'],
])('the finish reason %s of a reply with a call is %s', async (told, expected) => {
  const piece = call(0, { id: 'c', function: { name: 'count', arguments: '{}' } })
  expect(await read(piece, finish(told))).toMatchObject({ finish_reason: expected })
})

it('an unknown finish reason is read as stop, with a warning', async () => {
  const { finish_reason, warnings } = await read(content('Hi'), finish('done_enough'))
  expect([finish_reason, warnings]).toEqual(['stop', ["Unknown finish reason 'done_enough', read as 'stop'"]])
})

it('a stream without a finish reason is a failure that is retried', async () => {
  await expect(read(content('Hi'))).rejects.toMatchObject({ name: 'ProviderFailure', kind: 'retry' })
})

it('text and reasoning are kept apart, in order, and streamed as they come', async () => {
  const { parts, deltas } = await read(
    { choices: [{ delta: { reasoning_content: 'Let me ' } }] },
    { choices: [{ delta: { reasoning_content: 'think.', content: '' } }] },
    content('It is '),
    content('four.'),
    finish('stop'),
  )
  expect(parts).toEqual([
    { type: 'reasoning', text: 'Let me think.', metadata: { field: 'reasoning_content' } },
    { type: 'text', text: 'It is four.' },
  ])
  expect(deltas).toEqual([
    { type: 'reasoning', text: 'Let me ' },
    { type: 'reasoning', text: 'think.' },
    { type: 'text', text: 'It is ' },
    { type: 'text', text: 'four.' },
  ])
})

it('reasoning that comes in both fields is read once', async () => {
  const { parts } = await read(
    { choices: [{ delta: { reasoning: 'Hm.', reasoning_content: 'Hm.' } }] },
    content('Yes.'),
    finish('stop'),
  )
  expect(parts.map(({ type }) => type)).toEqual(['reasoning', 'text'])
  expect(parts[0]).toMatchObject({ text: 'Hm.' })
})

it('content in a list of parts is read by its types', async () => {
  const thinking = [{ type: 'thinking', thinking: [{ type: 'text', text: 'Well.' }] }]
  const { parts } = await read(
    content(thinking),
    content([{ type: 'text', text: 'Yes.' }]),
    content(null),
    finish('stop'),
  )
  expect(parts).toEqual([
    { type: 'reasoning', text: 'Well.' },
    { type: 'text', text: 'Yes.' },
  ])
})

it('a refusal is text', async () => {
  const { parts } = await read({ choices: [{ delta: { refusal: 'I cannot.' } }] }, finish('stop'))
  expect(parts).toEqual([{ type: 'text', text: 'I cannot.' }])
})

it('pieces of two calls are put together by their index, with the fields that the server wants back', async () => {
  const signature = { google: { thought_signature: 's' } }
  const { parts, finish_reason } = await read(
    call(0, { id: 'a', function: { name: 'count', arguments: '{"n"' }, extra_content: signature }),
    call(1, { id: 'b', function: { name: 'add', arguments: null } }),
    call(0, { function: { arguments: ':1}' } }),
    call(1, { function: { arguments: '{}' } }),
    finish('tool_calls'),
  )
  expect(parts).toEqual([
    { type: 'tool_call', id: 'a', name: 'count', arguments: '{"n":1}', metadata: { extra_content: signature } },
    { type: 'tool_call', id: 'b', name: 'add', arguments: '{}' },
  ])
  expect(finish_reason).toBe('tool_calls')
})

describe('usage', () => {
  const usage = async (...told: unknown[]) =>
    (await read(content('Hi'), finish('stop'), ...told.map((each) => ({ choices: [], usage: each })))).usage

  it('counts cached and reasoning tokens within input and output', async () => {
    const told = {
      prompt_tokens: 100,
      completion_tokens: 20,
      prompt_tokens_details: { cached_tokens: 64 },
      completion_tokens_details: { reasoning_tokens: 12 },
    }
    expect(await usage(told)).toEqual({
      input_tokens: 100,
      output_tokens: 20,
      cached_tokens: 64,
      reasoning_tokens: 12,
    })
  })

  it.each([
    ['missing', undefined],
    ['null', null],
    ['partial', { prompt_tokens: 3 }],
    ['negative', { prompt_tokens: 3, completion_tokens: -1 }],
    ['of another type', { prompt_tokens: '3', completion_tokens: 1 }],
  ])('that is %s is left to be estimated', async (_, told) => {
    expect(await usage(told)).toBeUndefined()
  })

  it('of the last chunk that tells it counts', async () => {
    const told = (completion_tokens: number) => ({ prompt_tokens: 3, completion_tokens })
    expect(await usage(told(1), told(2), null)).toEqual({ input_tokens: 3, output_tokens: 2 })
  })
})
