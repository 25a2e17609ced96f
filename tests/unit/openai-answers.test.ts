// Answers of OpenAI-compatible servers as bytes: streams split anywhere, documents, and errors with status 200.
import { describe, expect, it } from 'vitest'
import { openaiProvider } from '../../providers/openai.ts'

const KEY = 'sk-secret'
const stream = (...chunks: unknown[]) => chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('')
const content = (text: string) => ({ choices: [{ delta: { content: text } }] })
const END = { choices: [{ delta: {}, finish_reason: 'stop' }] }

async function ask(pieces: Uint8Array[], type = 'text/event-stream') {
  const fetch = async () =>
    new Response(
      new ReadableStream({
        start(queue) {
          for (const piece of pieces) queue.enqueue(piece)
          queue.close()
        },
      }),
      { headers: { 'content-type': type } },
    )
  const provider = openaiProvider({
    name: 'openai',
    api_key: KEY,
    base_url: 'http://model/v1',
    fetch,
    stall_ms: 10_000,
  })
  const request = { model: 'm', system: '', messages: [], tools: [], passages: [] }
  return provider.generate(request, async () => undefined, new AbortController().signal)
}

const bytes = (text: string) => new TextEncoder().encode(text)
const HI = [{ type: 'text', text: 'Hé 😀' }]

it('a stream that is split at any byte is read alike', async () => {
  const all = bytes(stream(content('Hé '), content('😀'), END) + 'data: [DONE]\n\n')
  for (let at = 1; at < all.length; at += 1) {
    expect(await ask([all.subarray(0, at), all.subarray(at)])).toMatchObject({ finish_reason: 'stop', parts: HI })
  }
  expect(await ask([...all].map((byte) => Uint8Array.of(byte)))).toMatchObject({ finish_reason: 'stop', parts: HI })
})

it('arguments that come as an object keep the digits of their numbers', async () => {
  const args = '{"id":12345678901234567890,"share":0.1000000000000000055}'
  const chunk = `{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"count","arguments":${args}}}]},"finish_reason":"tool_calls"}]}`
  expect(await ask([bytes(`data: ${chunk}\n\n`)])).toMatchObject({ parts: [{ name: 'count', arguments: args }] })
})

it('a stream whose last event has no blank line after it is read whole, one that ends within an event is retried', async () => {
  const all = stream(content('Hé 😀'), END).trimEnd()
  expect(await ask([bytes(all)])).toMatchObject({ finish_reason: 'stop', parts: HI })
  await expect(ask([bytes(all.slice(0, -8))])).rejects.toMatchObject({ name: 'ProviderFailure', kind: 'unknown' })
})

it.each(['application/json', 'text/event-stream'])('a document of type %s is an answer', async (type) => {
  const usage = { prompt_tokens: 3, completion_tokens: 2 }
  const document = { choices: [{ message: { role: 'assistant', content: 'Hé 😀' }, finish_reason: 'stop' }], usage }
  expect(await ask([bytes(`\n${JSON.stringify(document, undefined, 2)}`)], type)).toMatchObject({
    parts: HI,
    finish_reason: 'stop',
    usage: { input_tokens: 3, output_tokens: 2 },
  })
})

it('an empty answer is a failure that is retried', async () => {
  await expect(ask([])).rejects.toMatchObject({ name: 'ProviderFailure', kind: 'retry' })
})

describe('an error with status 200', () => {
  it.each<[kind: string, error: unknown]>([
    ['retry', { message: 'Rate limit reached', type: 'requests', code: 'rate_limit_exceeded' }],
    ['retry', { message: 'Overloaded', type: 'overloaded_error' }],
    ['retry', { message: 'The server had an error', type: 'server_error', code: null }],
    ['retry', { message: 'Provider returned error', code: 502 }],
    ['retry', { message: 'Slow down', code: '429' }],
    ['unknown', 'Service unavailable'],
    ['final', { message: 'Wrong roles', type: 'invalid_request_error' }],
    ['final', { message: 'Too long', type: 'invalid_request_error', code: 'context_length_exceeded' }],
    ['final', { message: 'No such key', code: 'invalid_api_key' }],
    ['final', { message: 'Bad roles', type: 'BadRequestError', code: 400 }],
    ['final', { message: 'Pay first', type: 'insufficient_quota' }],
    ['unknown', { message: "This model's maximum context length is 4096 tokens" }],
    ['unknown', { message: 'Something' }],
  ])('is of kind %s: %j', async (kind, error) => {
    const words = typeof error === 'string' ? error : (error as { message: string }).message
    const failure = { name: 'ProviderFailure', kind, message: expect.stringContaining(words) as string }
    await expect(ask([bytes(JSON.stringify({ error }))], 'application/json')).rejects.toMatchObject(failure)
    await expect(ask([bytes(stream({ error }))])).rejects.toMatchObject(failure)
    await expect(ask([bytes(stream(content('Hi'), { error }, END))])).rejects.toMatchObject(failure)
    await expect(ask([bytes(`event: error\n${stream({ error })}`)])).rejects.toMatchObject(failure)
  })

  it('does not repeat the key', async () => {
    await expect(ask([bytes(stream({ error: { message: `Wrong key ${KEY}` } }))])).rejects.toThrow(
      'Wrong key [redacted]',
    )
  })
})
