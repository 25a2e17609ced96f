// The rate limits that providers tell in their answers, on the wire: what would be refused waits, or is not sent.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ModelRegistry } from '../../providers/registry.ts'

/** What the next answers tell. */
let headers: Record<string, string> = {}
let status = 200
let asked = 0
const server = createServer((request, response) => {
  asked += 1
  request.resume()
  if (status !== 200) return void response.writeHead(status, headers).end('{"error": {"message": "slow down"}}')
  const chunk = {
    id: 'c',
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta: { content: 'Hi' }, finish_reason: 'stop' }],
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', ...headers })
  response.end(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`)
})
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterAll(() => void server.close())

/** A registry of its own: the limits are of a process. */
function open() {
  const base_url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  const models = new ModelRegistry({
    providers: { openai: { api_key: 'sk-test', base_url } },
    own_models: {},
    offline_words_per_second: 1,
    stall_ms: 10_000,
    guardedFetch: fetch,
  })
  const [model] = models.chainOf({ model: { provider: 'openai', model: 'gpt' } }, 'file')
  const provider = models.open(model!, undefined)
  const request = { model: 'gpt', system: '', messages: [], tools: [], passages: [] }
  const ask = (signal = new AbortController().signal) => provider.generate(request, () => Promise.resolve(), signal)
  return { ask, models }
}

const told = (remaining: number, reset: string) => ({
  'x-ratelimit-limit-requests': '10',
  'x-ratelimit-remaining-requests': String(remaining),
  'x-ratelimit-reset-requests': reset,
})

it('waits until the provider has room again', async () => {
  const { ask } = open()
  headers = told(0, '3s')
  // The wait counts from the answer, which comes after this.
  const before = performance.now()
  await ask()
  headers = {}
  await ask()
  // A tenth of the three seconds in which all ten come back.
  expect(performance.now() - before).toBeGreaterThan(250)
})

it('sends nothing while the wait would be long, and fails as a 429 does', async () => {
  const { ask, models } = open()
  headers = told(0, '10m0s')
  await ask()
  headers = told(0, '10m0s')
  status = 429
  headers['retry-after'] = '30'
  await ask().catch(() => undefined)
  status = 200
  const before = asked
  await expect(ask()).rejects.toMatchObject({ kind: 'retry', status: 429, isUnsent: true })
  expect(asked).toBe(before)
  // What is held back here says nothing about the model.
  expect(models.health.list()['openai:gpt']!.failures).toBeLessThan(2)
})

it('ends the wait when the call is stopped', async () => {
  const { ask } = open()
  headers = told(0, '30s')
  await ask()
  const stop = new AbortController()
  const waiting = ask(stop.signal)
  stop.abort(new Error('stopped'))
  await expect(waiting).rejects.toThrow('stopped')
})

it('sends at once where the provider tells nothing', async () => {
  const { ask } = open()
  headers = {}
  const before = asked
  await Promise.all([ask(), ask(), ask()])
  expect(asked).toBe(before + 3)
})
