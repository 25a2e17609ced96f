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
  const onDelta = async (delta: Delta) => void deltas.push(delta)
  return { ...(await readChunks(stream, onDelta, 'openai')), deltas }
}

test.each([
  ['stop', 'stop'],
  ['eos', 'stop'],
  ['length', 'length'],
  ['model_length', 'length'],
  ['MAX_TOKENS', 'length'],
  ['content_filter', 'content_filter'],
  ['content-filter', 'content_filter'],
  ['contentFilter', 'content_filter'],
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

it('a refusal is text of its own kind, and the reason why the reply ended', async () => {
  const refusal = (text: string): Chunk => ({ choices: [{ delta: { refusal: text } }] })
  const read1 = await read(refusal('I cannot '), refusal('do that.'), finish('stop'))
  expect(read1).toMatchObject({ parts: [{ type: 'text', text: 'I cannot do that.' }], finish_reason: 'refusal' })
  expect(read1.deltas.every(({ type }) => type === 'refusal')).toBe(true)
  const part = { type: 'refusal', refusal: 'No.' }
  expect(await read(content([part]), finish('stop'))).toMatchObject({
    finish_reason: 'refusal',
    deltas: [{ type: 'refusal', text: 'No.' }],
  })
  expect(await read(content('Yes.'), refusal(''), finish('stop'))).toMatchObject({ finish_reason: 'stop' })
})

it('an unknown finish reason is read as stop, with a warning', async () => {
  const { finish_reason, warnings } = await read(content('Hi'), finish('done_enough'))
  expect([finish_reason, warnings]).toEqual(['stop', ["Unknown finish reason 'done_enough', read as 'stop'"]])
})

test.each<[string, Chunk[]]>([
  ['nothing', []],
  ['reasoning only', [{ choices: [{ delta: { reasoning: 'Hm.' } }] }]],
  ['a call cut in its arguments', [call(0, { id: 'a', function: { name: 'count', arguments: '{"n"' } })]],
])('a stream of %s without a finish reason is a failure that is retried', async (_, chunks) => {
  await expect(read(...chunks)).rejects.toMatchObject({ name: 'ProviderFailure', kind: 'retry' })
})

test.each<[string, Chunk[], string]>([
  ['a text', [content('Hi')], 'stop'],
  ['a whole call', [call(0, { id: 'a', function: { name: 'count', arguments: '{}' } })], 'tool_calls'],
  ['a call without arguments', [call(0, { id: 'a', function: { name: 'count' } })], 'tool_calls'],
])('%s without a finish reason is an answer, with a warning', async (_, chunks, expected) => {
  expect(await read(...chunks)).toMatchObject({
    finish_reason: expected,
    warnings: ["No finish reason, read as 'stop'"],
  })
})

it('a reply of reasoning only is a reply', async () => {
  const { parts, finish_reason } = await read({ choices: [{ delta: { reasoning: 'Hm.' } }] }, finish('stop'))
  expect([finish_reason, parts]).toMatchObject(['stop', [{ type: 'reasoning', text: 'Hm.' }]])
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

it('NUL in text, names and arguments is replaced in what is streamed as in what is stored', async () => {
  const called = call(0, { id: 'a', function: { name: 'f\0', arguments: '{"x":"\\u0000"}\0' } })
  const { parts, deltas } = await read(content('one\0two'), called, finish('tool_calls'))
  expect(deltas).toEqual([
    { type: 'text', text: 'one\uFFFDtwo' },
    { type: 'tool_call', text: '' },
  ])
  expect(parts).toMatchObject([
    { type: 'text', text: 'one\uFFFDtwo' },
    { type: 'tool_call', name: 'f\uFFFD', arguments: '{"x":"\\u0000"}\uFFFD' },
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

describe('tool calls', () => {
  const pieces = (...tool_calls: unknown[]): Chunk => ({ choices: [{ delta: { tool_calls } }] })
  const piece = (name: unknown, args: unknown, fields: object = {}) => ({
    ...fields,
    function: { ...(name !== undefined && { name }), ...(args !== undefined && { arguments: args }) },
  })
  const [count, add] = [
    ['count', '{"n":1}'],
    ['add', '{"a":2}'],
  ]
  const [id, index] = [{ id: 'a' }, { index: 0 }]

  it.each<[form: string, chunks: Chunk[], expected: unknown[][]]>([
    [
      'pieces without index',
      [piece('count', '', id), piece(undefined, '{"n"'), piece(undefined, ':1}')].map((p) => pieces(p)),
      [count],
    ],
    [
      'two whole calls without index',
      [pieces(piece('count', '{"n":1}', id)), pieces(piece('add', '{"a":2}', { id: 'b' }))],
      [count, add],
    ],
    [
      'two whole calls without index in one chunk',
      [pieces(piece('count', '{"n":1}', id), piece('add', '{"a":2}', { id: 'b' }))],
      [count, add],
    ],
    [
      'two whole calls of one tool without index and id in one chunk',
      [pieces(piece('count', '{"n":1}'), piece('count', '{"n":1}'))],
      [count, count],
    ],
    [
      'two whole calls without index and id',
      [pieces(piece('count', '{"n":1}')), pieces(piece('add', '{"a":2}'))],
      [count, add],
    ],
    [
      'two whole calls of one index',
      [pieces(piece('count', '{"n":1}', { ...id, ...index })), pieces(piece('add', '{"a":2}', { id: 'b', ...index }))],
      [count, add],
    ],
    [
      'two whole calls of one index and one id',
      [pieces(piece('count', '{"n":1}', { ...id, ...index })), pieces(piece('count', '{"n":2}', { ...id, ...index }))],
      [count, ['count', '{"n":2}']],
    ],
    ['the name in each piece', ['{"n"', ':1', '}'].map((args) => pieces(piece('count', args, index))), [count]],
    [
      'name and id in each piece',
      ['{"n"', ':1', '}'].map((args) => pieces(piece('count', args, { ...id, ...index }))),
      [count],
    ],
    [
      'name and id in each piece without index',
      ['{"n"', ':1', '}'].map((args) => pieces(piece('count', args, id))),
      [count],
    ],
    [
      'an id of its own in each piece',
      [pieces(piece('count', '{"n"', { ...id, ...index })), pieces(piece(undefined, ':1}', { id: 'z', ...index }))],
      [count],
    ],
    [
      'whole arguments repeated in the last piece',
      ['{"n"', ':1}', '{"n":1}'].map((args, at) => pieces(piece(at === 0 ? 'count' : undefined, args, index))),
      [count],
    ],
    [
      'the whole call repeated in the last piece',
      ['{"n"', ':1}', '{"n":1}'].map((args) => pieces(piece('count', args, { ...id, ...index }))),
      [count],
    ],
    ['arguments that grow', ['{"n"', '{"n":1', '{"n":1}'].map((args) => pieces(piece('count', args, index))), [count]],
    [
      'empty arguments first',
      ['{}', '{"n"', ':1}'].map((args, at) => pieces(piece(at === 0 ? 'count' : undefined, args, index))),
      [count],
    ],
    [
      'the name in halves',
      [pieces(piece('co', '', index)), pieces(piece('unt', '', index)), pieces(piece(undefined, '{"n":1}', index))],
      [count],
    ],
    [
      'the name in halves, then whole',
      [pieces(piece('co', '', index)), pieces(piece('unt', '', index)), pieces(piece('count', '{"n":1}', index))],
      [count],
    ],
    ['a name that grows', [pieces(piece('co', '', index)), pieces(piece('count', '{"n":1}', index))], [count]],
    ['arguments as an object', [pieces(piece('count', { n: 1 }, index))], [count]],
    ['arguments null', [pieces(piece('count', null, index))], [['count', '']]],
    ['arguments absent', [pieces(piece('count', undefined, index))], [['count', '']]],
    ['arguments empty', [pieces(piece('count', '', index))], [['count', '']]],
    ['an empty piece beside it', [pieces(piece('count', '{"n":1}', index)), pieces({ index: 1 }, null)], [count]],
    ['one object in place of a list', [{ choices: [{ delta: { tool_calls: piece('count', '{"n":1}') } }] }], [count]],
    [
      'the old function_call',
      ['{"n"', ':1}'].map((args, at) => ({
        choices: [{ delta: { function_call: { name: at === 0 ? 'count' : null, arguments: args } } }],
      })),
      [count],
    ],
    [
      'a call in both forms',
      [
        {
          choices: [
            {
              delta: {
                ...pieces(piece('count', '{"n":1}')).choices![0]!.delta,
                function_call: { name: 'count', arguments: '{"n":1}' },
              },
            },
          ],
        },
      ],
      [count],
    ],
  ])('%s', async (_, chunks, expected) => {
    const { parts, finish_reason } = await read(...chunks, finish('stop'))
    const found = parts.filter((part) => part.type === 'tool_call')
    expect(found.map(({ name, arguments: args }) => [name, args])).toEqual(expected)
    expect(finish_reason).toBe('tool_calls')
    expect(found.every((part) => part.id !== '')).toBe(true)
    expect(new Set(found.map((part) => part.id)).size).toBe(expected.length)
  })
})

it.each<[form: string, told: unknown]>([
  ['a string', 'Hi'],
  [
    'a list of parts',
    [null, { type: 'text', text: 'H' }, { type: 'output_text', text: 'i' }, { type: 'image_url' }, 7],
  ],
  ['a list of strings', ['H', 'i']],
  ['one part', { type: 'text', text: 'Hi' }],
  ['a part that is a refusal', [{ type: 'refusal', refusal: 'Hi' }]],
])('content as %s is text', async (_, told) => {
  expect((await read(content(told), content(null), finish('stop'))).parts).toEqual([{ type: 'text', text: 'Hi' }])
})

it('no piece holds half a character', async () => {
  const { parts, deltas } = await read(
    content('a\ud83d'),
    content('\ude00b\ude00'),
    { choices: [{ delta: { reasoning: '\ud83d' } }] },
    { choices: [{ delta: { reasoning: '\ude00' } }] },
    call(0, { function: { name: 'count', arguments: '{"n":"\ud83d' } }),
    call(0, { function: { arguments: '\ude00"}' } }),
    content('c\ud83d'),
    finish('stop'),
  )
  const texts = deltas.filter(({ type }) => type !== 'tool_call').map(({ text }) => text)
  expect(texts).toEqual(['a', '😀b\ufffd', '😀', 'c', '\ufffd'])
  expect(JSON.stringify(parts)).not.toContain('\\ud')
  expect(parts.find(({ type }) => type === 'tool_call')).toMatchObject({ arguments: '{"n":"😀"}' })
})

it('an answer that is not streamed is read as one chunk', async () => {
  const message = { role: 'assistant', content: 'Hi', tool_calls: [{ id: 'a', function: { name: 'count' } }] }
  const { parts } = await read({ choices: [{ message, finish_reason: 'stop' }] })
  expect(parts).toMatchObject([
    { type: 'text', text: 'Hi' },
    { type: 'tool_call', id: 'a', name: 'count' },
  ])
})

test.each<[string, object]>([
  ['an error', { error: { message: 'Busy' } }],
  ['the error of vLLM', { object: 'error', message: 'Busy' }],
  ['an error in its choice', { choices: [{ error: { message: 'Busy' } }] }],
])('%s in place of a chunk is thrown', async (_, chunk) => {
  await expect(read(content('Hi'), chunk)).rejects.toMatchObject({ error: { message: 'Busy' } })
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
    ['missing', undefined, {}],
    ['null', null, {}],
    ['partial', { prompt_tokens: 3 }, { input_tokens: 3 }],
    ['negative', { prompt_tokens: 3, completion_tokens: -1 }, { input_tokens: 3 }],
    ['too large for a column', { prompt_tokens: 3, completion_tokens: 3_000_000_000 }, { input_tokens: 3 }],
    ['a fraction', { prompt_tokens: 3, completion_tokens: 0.5 }, { input_tokens: 3 }],
    ['of another type', { prompt_tokens: '3', completion_tokens: 1 }, { output_tokens: 1 }],
  ])('that is %s keeps the counts that can be stored', async (_, told, kept) => {
    expect(await usage(told)).toEqual(kept)
  })

  it('of the last chunk that tells it counts', async () => {
    const told = (completion_tokens: number) => ({ prompt_tokens: 3, completion_tokens })
    expect(await usage(told(1), told(2), null)).toEqual({ input_tokens: 3, output_tokens: 2 })
  })
})
