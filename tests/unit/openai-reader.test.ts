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

it.each([
  ['with text', [content('Hi')], 'stop'],
  ['with a whole call', [call(0, { id: 'c', function: { name: 'count', arguments: '{"n":1}' } })], 'tool_calls'],
])('a stream %s that ends without a finish reason is complete, with a warning', async (_, chunks, expected) => {
  const { finish_reason, warnings } = await read(...chunks)
  expect([finish_reason, warnings]).toEqual([expected, ['The reply ended without a finish reason']])
})

it.each([
  ['without anything', []],
  ['with reasoning only', [{ choices: [{ delta: { reasoning: 'Hm.' } }] }]],
  ['within the arguments of a call', [call(0, { id: 'c', function: { name: 'count', arguments: '{"n"' } })]],
])('a stream %s that ends without a finish reason is a failure that is retried', async (_, chunks) => {
  await expect(read(...chunks)).rejects.toMatchObject({ name: 'ProviderFailure', kind: 'retry' })
})

it.each([
  [{ code: 400, type: 'BadRequestError' }, 'final'],
  [{ code: 429 }, 'retry'],
  [{ code: 'context_length_exceeded' }, 'final'],
  [{ type: 'overloaded_error' }, 'unknown'],
])('an error chunk with %o is a failure of kind %s, with the words of the server', async (fields, kind) => {
  const failure = { object: 'error', message: 'The prompt is odd', ...fields }
  await expect(read(content('Hi'), failure)).rejects.toMatchObject({ kind, message: 'The prompt is odd' })
})

it('the reply of a server that does not stream is read from its message', async () => {
  const message = {
    content: 'Counting.',
    tool_calls: [{ id: 'c', function: { name: 'count', arguments: { n: 1 } } }],
  }
  const { parts, finish_reason } = await read({ choices: [{ message, finish_reason: 'tool_calls' }] })
  expect(parts).toEqual([
    { type: 'text', text: 'Counting.' },
    { type: 'tool_call', id: 'c', name: 'count', arguments: '{"n":1}' },
  ])
  expect(finish_reason).toBe('tool_calls')
})

it('no delta holds half a character, wherever the halves are divided', async () => {
  const { parts, deltas } = await read(content('a\ud83d'), content('\ude00b\ud83d'), content('\ude01'), finish('stop'))
  expect(parts).toEqual([{ type: 'text', text: 'a😀b😁' }])
  expect(deltas.every(({ text }) => text.isWellFormed())).toBe(true)
})

it('half a character without its other half is replaced', async () => {
  const { parts } = await read(content('a\ude00b'), finish('stop'))
  expect(parts).toEqual([{ type: 'text', text: 'a\ufffdb' }])
})

/** A piece of a call as servers stream it. */
const piece = (fields: object, name?: unknown, args?: unknown): object => ({
  ...fields,
  function: { ...(name !== undefined && { name }), ...(args !== undefined && { arguments: args }) },
})
const COUNT = { id: 'a', name: 'count', arguments: '{"n":1}' }
const ADD = { id: 'b', name: 'add', arguments: '{"m":2}' }

describe('calls', () => {
  it.each<[string, object[], object[]]>([
    ['pieces without index', [piece({ id: 'a' }, 'count', '{"n"'), piece({}, undefined, ':1}')], [COUNT]],
    [
      'two whole calls without index',
      [piece({ id: 'a' }, 'count', '{"n":1}'), piece({ id: 'b' }, 'add', '{"m":2}')],
      [COUNT, ADD],
    ],
    [
      'two whole calls without index and id',
      [piece({}, 'count', '{"n":1}'), piece({}, 'add', '{"m":2}')],
      [
        { ...COUNT, id: '' },
        { ...ADD, id: '' },
      ],
    ],
    [
      'two whole calls that are both numbered 0',
      [piece({ index: 0, id: 'a' }, 'count', '{"n":1}'), piece({ index: 0, id: 'b' }, 'add', '{"m":2}')],
      [COUNT, ADD],
    ],
    [
      'the same tool twice without index and id',
      [piece({}, 'count', '{"n":1}'), piece({}, 'count', '{"n":2}')],
      [
        { ...COUNT, id: '' },
        { ...COUNT, id: '', arguments: '{"n":2}' },
      ],
    ],
    [
      'name and id in each piece',
      [
        piece({ index: 0, id: 'a' }, 'count', ''),
        piece({ index: 0, id: 'a' }, 'count', '{"n"'),
        piece({ index: 0, id: 'a' }, 'count', ':1}'),
      ],
      [COUNT],
    ],
    [
      'name and id in each piece, without index',
      [piece({ id: 'a' }, 'count', ''), piece({ id: 'a' }, 'count', '{"n"'), piece({ id: 'a' }, 'count', ':1}')],
      [COUNT],
    ],
    [
      'the whole arguments again in a last piece',
      [
        piece({ index: 0, id: 'a' }, 'count', '{"n"'),
        piece({ index: 0 }, undefined, ':1}'),
        piece({ index: 0, id: 'a' }, 'count', '{"n":1}'),
      ],
      [COUNT],
    ],
    [
      'a name in halves',
      [piece({ index: 0, id: 'a' }, 'cou'), piece({ index: 0 }, 'nt'), piece({ index: 0 }, undefined, '{"n":1}')],
      [COUNT],
    ],
    ['a name that grows', [piece({ index: 0, id: 'a' }, 'cou'), piece({ index: 0 }, 'count', '{"n":1}')], [COUNT]],
    ['an empty id', [piece({ index: 0, id: '' }, 'count', '{"n":1}')], [{ ...COUNT, id: '' }]],
    [
      'an id that is empty after the first piece',
      [piece({ index: 0, id: 'a' }, 'count', '{"n"'), piece({ index: 0, id: '' }, '', ':1}')],
      [COUNT],
    ],
    ['arguments as an object', [piece({ index: 0, id: 'a' }, 'count', { n: 1 })], [COUNT]],
    ['arguments null', [piece({ index: 0, id: 'a' }, 'now', null)], [{ id: 'a', name: 'now', arguments: '' }]],
    ['no arguments', [piece({ index: 0, id: 'a' }, 'now')], [{ id: 'a', name: 'now', arguments: '' }]],
    [
      'the same id for two calls',
      [piece({ index: 0, id: 'a' }, 'count', '{"n":1}'), piece({ index: 1, id: 'a' }, 'add', '{"m":2}')],
      [COUNT, { ...ADD, id: 'a' }],
    ],
    [
      'indexes that begin at 1',
      [piece({ index: 1, id: 'a' }, 'count', '{"n"'), piece({ index: 1 }, undefined, ':1}')],
      [COUNT],
    ],
  ])('with %s are read', async (_, pieces, expected) => {
    const chunks = pieces.map((each) => ({ choices: [{ delta: { tool_calls: [each] } }] }) as Chunk)
    const { parts } = await read(...chunks, finish('tool_calls'))
    expect(parts).toEqual(expected.map((each) => ({ type: 'tool_call', ...each })))
  })

  it('of a server that sends one function_call are read', async () => {
    const old = (fields: object): Chunk => ({ choices: [{ delta: { function_call: fields } }] })
    const { parts } = await read(
      old({ name: 'count' }),
      old({ arguments: '{"n"' }),
      old({ arguments: ':1}' }),
      finish('function_call'),
    )
    expect(parts).toEqual([{ type: 'tool_call', ...COUNT, id: '' }])
  })

  it('with long arguments keep their text when they are divided at any character', async () => {
    const args = '{"list":[1,2.50,12345678901234567890],"text":"a{b}c"}'
    for (let at = 1; at < args.length; at += 1) {
      const chunks = [
        piece({ index: 0, id: 'a' }, 'count', args.slice(0, at)),
        piece({ index: 0 }, undefined, args.slice(at)),
      ]
      const { parts } = await read(
        ...chunks.map((each) => ({ choices: [{ delta: { tool_calls: [each] } }] }) as Chunk),
        finish('tool_calls'),
      )
      expect(parts).toEqual([{ type: 'tool_call', id: 'a', name: 'count', arguments: args }])
    }
  })
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
