// What the OpenAI client makes of answers that are no event stream, and of errors within one.
import { expect, it } from 'vitest'
import { openaiProvider } from '../../providers/openai.ts'

const REQUEST = { model: 'm', system: '', messages: [], tools: [], passages: [] }

function generate(body: string, type: string) {
  const fetch = async () => new Response(body, { headers: { 'content-type': type } })
  const provider = openaiProvider({ name: 'openai', api_key: 'sk-secret', fetch, stall_ms: 5_000 })
  return provider.generate(REQUEST, async () => undefined, new AbortController().signal)
}

it('JSON instead of a stream is read as the reply', async () => {
  const reply = { choices: [{ message: { content: 'Yes.\nNo.' }, finish_reason: 'stop' }], usage: null }
  expect(await generate(JSON.stringify(reply, null, 2), 'application/json; charset=utf-8')).toMatchObject({
    parts: [{ type: 'text', text: 'Yes.\nNo.' }],
    finish_reason: 'stop',
  })
})

it.each([
  [{ message: 'Too many requests', code: 429 }, 'retry'],
  [{ message: 'The server is overloaded', type: 'server_error' }, 'unknown'],
  [{ message: 'No such model', type: 'invalid_request_error' }, 'final'],
  [{ message: 'Too long', code: 'context_length_exceeded' }, 'final'],
])('the error %o with status 200 is of kind %s, in JSON and in a stream', async (error, kind) => {
  const body = JSON.stringify({ error })
  const expected = { name: 'ProviderFailure', kind, message: expect.stringContaining(error.message) }
  await expect(generate(body, 'application/json')).rejects.toMatchObject(expected)
  const text = JSON.stringify({ choices: [{ delta: { content: 'Hi' } }] })
  await expect(generate(`data: ${text}\n\ndata: ${body}\n\n`, 'text/event-stream')).rejects.toMatchObject(expected)
})
