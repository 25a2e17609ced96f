// Every adapter of a model vendor on the wire: one table of cases for all protocols.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ModelMessage } from '../../contracts/model-messages.ts'
import { createEmbedder } from '../../providers/create-embedder.ts'
import type { Delta, GenerateRequest, Provider } from '../../providers/provider.ts'
import { KEY, PROTOCOLS, WireDouble } from '../support/wire-double.ts'

let double: WireDouble
beforeAll(async () => {
  double = await WireDouble.start()
})
afterAll(() => double.stop())

const ASKED: ModelMessage[] = [{ role: 'user', parts: [{ type: 'text', text: 'Hello?' }] }]
const TOOL = {
  name: 'get_weather',
  description: 'The weather of a city',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
}

function request(fields: Partial<GenerateRequest> = {}): GenerateRequest {
  return { model: 'm', system: 'Be brief.', messages: ASKED, tools: [], passages: [], ...fields }
}

async function ask(provider: Provider, fields?: Partial<GenerateRequest>, signal = new AbortController().signal) {
  const deltas: Delta[] = []
  const result = await provider.generate(request(fields), async (delta) => void deltas.push(delta), signal)
  const streamed = (type: Delta['type']) => deltas.map((delta) => (delta.type === type ? delta.text : '')).join('')
  return { ...result, deltas, streamed }
}

describe.each(PROTOCOLS)('$name', (protocol) => {
  const raw = (options = {}) => double.open(protocol, { raw: true, ...options })
  const usage = { input_tokens: 3, output_tokens: 2 }

  it('streams text', async () => {
    double.say({ content: 'The ferry leaves at nine. 😀' }, { chunkSize: 3 })
    const reply = await ask(double.open(protocol))
    expect(reply.streamed('text')).toBe('The ferry leaves at nine. 😀')
    expect(reply.deltas.length).toBeGreaterThan(4)
    expect(reply).toMatchObject({
      parts: [{ type: 'text', text: 'The ferry leaves at nine. 😀' }],
      finish_reason: 'stop',
      usage: { input_tokens: expect.any(Number) as number, output_tokens: expect.any(Number) as number },
    })
  })

  it('keeps reasoning apart from text', async () => {
    double.say({ content: 'At nine.', reasoning: 'They asked for the ferry.' }, { chunkSize: 4 })
    const reply = await ask(double.open(protocol), { reasoning: 'low' })
    expect(reply.streamed('reasoning')).toBe('They asked for the ferry.')
    expect(reply.streamed('text')).toBe('At nine.')
  })

  it('reads parallel calls whose arguments come in pieces', async () => {
    const toolCalls = ['Bergen', 'Oslo'].map((city) => ({ name: 'get_weather', arguments: JSON.stringify({ city }) }))
    double.say({ toolCalls }, { chunkSize: 3 })
    const { parts, finish_reason, deltas } = await ask(double.open(protocol), { tools: [TOOL] })
    expect(finish_reason).toBe('tool_calls')
    expect(deltas).toEqual(Array.from({ length: 2 }, () => ({ type: 'tool_call', text: '' })))
    expect(parts.map((part) => part.type === 'tool_call' && [part.name, JSON.parse(part.arguments)])).toEqual([
      ['get_weather', { city: 'Bergen' }],
      ['get_weather', { city: 'Oslo' }],
    ])
    const ids = parts.map((part) => (part.type === 'tool_call' ? part.id : ''))
    expect(new Set(ids).size).toBe(2)
    expect(ids).not.toContain('')
  })

  it('sends pictures, tools, instructions and the results of calls', async () => {
    double.raw({ events: protocol.text(['Seen.']) })
    const messages: ModelMessage[] = [
      {
        role: 'user',
        parts: [
          { type: 'text', text: 'What is this?' },
          { type: 'image', media_type: 'image/png', base64: 'UElDVFVSRQ==' },
        ],
      },
      {
        role: 'assistant',
        parts: [
          {
            type: 'tool_call',
            id: 'functions.w:0',
            name: 'get_weather',
            arguments: '{"city":"Bergen","n":12345678901234567890}',
          },
        ],
      },
      {
        role: 'tool',
        parts: [
          {
            type: 'tool_result',
            call_id: 'functions.w:0',
            name: 'get_weather',
            content: [
              { type: 'text', text: 'RAIN' },
              { type: 'image', media_type: 'image/png', base64: 'U0VDT05E' },
            ],
            is_error: false,
          },
        ],
      },
    ]
    await ask(raw(), { messages, tools: [TOOL] })
    const { text: sent, headers } = double.requests.at(-1)!
    for (const piece of [
      'UElDVFVSRQ==',
      'U0VDT05E',
      'RAIN',
      'Bergen',
      'The weather of a city',
      'Be brief.',
      '12345678901234567890',
    ])
      expect(sent).toContain(piece)
    expect(JSON.stringify(headers)).toContain(KEY)
  })

  it('reads a reply that is cut by its length', async () => {
    double.say({ content: 'Once upon a', finishReason: 'length' })
    expect(await ask(double.open(protocol))).toMatchObject({
      finish_reason: 'length',
      parts: [{ text: 'Once upon a' }],
    })
  })

  it('reads a refusal by the rules of the vendor', async () => {
    double.raw({ events: protocol.refusal })
    expect(await ask(raw())).toMatchObject({ finish_reason: 'content_filter', parts: [] })
  })

  it('ignores fields and events that it does not know', async () => {
    const extra = { surprise: { deeply: [1, null] } }
    double.raw({
      events: [{ type: 'brand_new', ...extra }, ...protocol.text(['Hé', 'llo'], true, extra), { object: 'novelty' }],
    })
    expect(await ask(raw())).toMatchObject({ finish_reason: 'stop', parts: [{ text: 'Héllo' }], usage })
  })

  it.each([
    [429, { 'retry-after': '7' }, 7_000],
    [429, {}, undefined],
    [500, {}, undefined],
    [503, { 'retry-after': '2' }, 2_000],
    [529, {}, undefined],
  ])('a status %d with headers %j is retried, after %s ms', async (status, headers, retryAfter) => {
    double.raw({ status, headers, body: JSON.stringify({ error: { message: 'Busy', code: status } }) })
    await expect(ask(raw())).rejects.toMatchObject({ name: 'ProviderFailure', kind: 'retry', status, retryAfter })
  })

  it('a refused key is a final failure that does not repeat the key', async () => {
    const { status, body } = protocol.wrongKey
    double.raw({ status, body: JSON.stringify(body), headers: { 'x-request-id': 'req_7' } })
    const failure = await ask(raw()).catch((error: unknown) => error as Error)
    expect(failure).toMatchObject({ kind: 'final', status, requestId: 'req_7', provider: protocol.name })
    expect((failure as Error).message).toContain('[redacted]')
    expect((failure as Error).message).not.toContain(KEY)
  })

  it('a context that is too long is a final failure', async () => {
    double.raw({ status: 400, body: JSON.stringify({ error: { message: 'prompt is too long', code: 400 } }) })
    await expect(ask(raw())).rejects.toMatchObject({ kind: 'final', status: 400 })
  })

  it('an error in place of an event is retried', async () => {
    double.raw({ events: [...protocol.text(['Half'], false), protocol.reported] })
    const failure = await ask(raw()).catch((error: unknown) => error)
    expect(failure).toMatchObject({ name: 'ProviderFailure' })
    expect((failure as { kind: string }).kind).not.toBe('final')
  })

  it.each(['cut', 'malformed'] as const)('a stream that is %s is not taken for an answer', async (how) => {
    const events = protocol.text(['Half an ans'], false)
    double.raw(
      how === 'cut' ? { events, ending: 'cut' } : { events: [...events, '{"choices": [{', ...protocol.text(['wer'])] },
    )
    const failure = await ask(raw()).catch((error: unknown) => error)
    expect(failure).toMatchObject({ name: 'ProviderFailure', provider: protocol.name })
    expect((failure as { kind: string }).kind).not.toBe('final')
  })

  it.each([
    ['before the first', 0],
    ['after the first', 1],
  ])('a silence %s piece ends the call', async (_, pieces) => {
    double.raw({ events: protocol.text(['Half'], false).slice(0, pieces * 9), ending: 'hang' })
    await expect(ask(raw({ stall_ms: 60 }))).rejects.toMatchObject({
      kind: 'retry',
      message: 'The model was silent for 60 ms',
    })
  })

  it('stops when it is told to, with the reason that it is given', async () => {
    double.raw({ events: protocol.text(['Half'], false), ending: 'hang' })
    const stop = new AbortController()
    const said: string[] = []
    const asked = raw().generate(
      request(),
      async ({ text }) => {
        said.push(text)
        stop.abort(new Error('stopped by the user'))
      },
      stop.signal,
    )
    await expect(asked).rejects.toThrow('stopped by the user')
    expect(said).toEqual(['Half'])
  })

  it('a server that cannot be reached is retried', async () => {
    await expect(ask(raw({ base_url: 'http://127.0.0.1:9' }))).rejects.toMatchObject({
      kind: 'retry',
      message: /could not be reached/,
    })
  })
})

describe('embeddings of gemini', () => {
  const gemini = PROTOCOLS.find(({ name }) => name === 'gemini')!
  const open = () =>
    createEmbedder(
      { openai: {}, gemini: { api_key: KEY, base_url: double.rawUrl(gemini) } },
      'gemini:gemini-embedding-001@2',
    )
  const { signal } = new AbortController()

  it('are asked for in one request, and have length 1', async () => {
    double.next({ body: JSON.stringify({ embeddings: [{ values: [3, 4] }, { values: [0, 2] }] }) })
    const vectors = await open().embed(['a', ''], signal)
    expect(vectors.map((vector) => [...vector].map((each) => Number(each.toFixed(3))))).toEqual([
      [0.6, 0.8],
      [0, 1],
    ])
    const { url, text } = double.requests.at(-1)!
    expect(url).toContain('gemini-embedding-001:batchEmbedContents')
    expect(text).toContain('"outputDimensionality":2')
  })

  it.each([
    [
      { status: 429, headers: { 'retry-after': '3' }, body: '{}' },
      { kind: 'retry', status: 429, retryAfter: 3_000 },
    ],
    [{ body: JSON.stringify({ embeddings: [{ values: [1, 2, 3] }, { values: [1, 2, 3] }] }) }, { kind: 'final' }],
    [{ body: JSON.stringify({ embeddings: [{ values: [1, 2] }] }) }, { kind: 'retry' }],
  ])('fail by %j', async (answer, failure) => {
    double.next(answer)
    await expect(open().embed(['a', 'b'], signal)).rejects.toMatchObject(failure)
  })
})
