// Which key and which fetch a model gets, by who named its address.
import { beforeEach, describe, expect, it, test } from 'vitest'
import { isElsewhere, modelFaults } from '../../contracts/model-check.ts'
import type { AgentSource, ModelConfig } from '../../contracts/schemas/agent.ts'
import { UrlRefused } from '../../contracts/url-refused.ts'
import { ModelRegistry } from '../../providers/registry.ts'

const OPENAI = { api_key: 'sk-operator', base_url: 'https://gate.example/v1' }
const PROVIDERS = { openai: OPENAI, anthropic: {}, gemini: {}, xai: {} }
const sent: { url: string; headers: Record<string, string> }[] = []
let answer: () => Promise<Response>
const registry = new ModelRegistry({
  providers: PROVIDERS,
  own_models: {},
  offline_words_per_second: 1,
  stall_ms: 10_000,
  guardedFetch: (url, init) => {
    sent.push({ url: String(url), headers: init?.headers as Record<string, string> })
    return answer()
  },
})
beforeEach(() => {
  sent.length = 0
  answer = async () => new Response('no', { status: 403 })
})

const model: ModelConfig = { provider: 'openai', model: 'm', base_url: 'https://elsewhere.example/v1' }

async function call(config: ModelConfig, apiKey?: string) {
  const [chosen] = registry.chainOf({ model: config }, 'api')
  const request = { model: 'm', system: '', messages: [], tools: [], passages: [] }
  const said = registry.open(chosen!, apiKey).generate(request, async () => {}, new AbortController().signal)
  return said.catch((error: unknown) => error)
}

test.each<[string | undefined, AgentSource, boolean]>([
  [undefined, 'file', false],
  [undefined, 'api', false],
  ['https://gate.example/v1', 'file', false],
  ['https://gate.example/v1/', 'file', false],
  ['https://gate.example/v1', 'api', true],
  ['https://gate.example.attacker.example/v1', 'file', true],
  ['https://elsewhere.example/v1', 'file', true],
  ['https://elsewhere.example/v1', 'api', true],
])('the address %s of a %s is elsewhere: %s', (base_url, source, expected) => {
  expect(isElsewhere(base_url === undefined ? {} : { base_url }, OPENAI, source)).toBe(expected)
})

it('an address over the API needs a key of its own, also where it is the one that is configured', () => {
  const same = { ...model, base_url: OPENAI.base_url }
  expect(modelFaults(same, PROVIDERS, 'file')).toEqual([])
  expect(modelFaults(same, PROVIDERS, 'api').map(({ path }) => path)).toEqual([['model', 'api_key']])
})

it.each([
  [undefined, 'Bearer none'],
  ['sk-own', 'Bearer sk-own'],
])('an address over the API is asked by the guarded fetch, with the key %s', async (key, authorization) => {
  await call(model, key)
  await call({ ...model, base_url: OPENAI.base_url }, key)
  expect(sent.map(({ url }) => url)).toEqual([
    'https://elsewhere.example/v1/chat/completions',
    'https://gate.example/v1/chat/completions',
  ])
  for (const { headers } of sent)
    expect(headers).toEqual({
      accept: 'application/json',
      'content-type': 'application/json',
      'user-agent': expect.any(String),
      authorization,
    })
})

it('a refused address is a final failure', async () => {
  answer = () => Promise.reject(new UrlRefused('Cannot reach it'))
  expect(await call(model)).toMatchObject({ kind: 'final', message: "The model's address is refused: Cannot reach it" })
})

it('of the answer to a refused call 300 characters are kept, without the key and without a cause', async () => {
  const message = `no sk-own ${'x'.repeat(10_000)}`
  const headers = { 'content-type': 'application/json', 'x-request-id': 'r'.repeat(1_000) }
  answer = async () => new Response(JSON.stringify({ error: { message } }), { status: 401, headers })
  const failure = (await call(model, 'sk-own')) as Error & { requestId: string }
  expect(failure.message).toMatch(/^401 no \[redacted\] x+$/)
  expect(failure.message).toHaveLength(300)
  expect(failure.cause).toBeUndefined()
  expect(failure.requestId).toHaveLength(128)
})

it('of 200 keys the providers are kept, and of others the one used longest ago is forgotten', () => {
  const [chosen] = registry.chainOf({ model }, 'api')
  const providers = new ModelRegistry({
    providers: PROVIDERS,
    own_models: {},
    offline_words_per_second: 1,
    stall_ms: 10_000,
    guardedFetch: fetch,
  })
  const open = (key: number) => providers.open(chosen!, `sk-${key}`)
  const [first, second] = [open(1), open(2)]
  for (let key = 3; key <= 200; key += 1) open(key)
  expect(open(1)).toBe(first)
  open(201)
  expect(open(1)).toBe(first)
  expect(open(2)).not.toBe(second)
})

describe('what an agent requires', () => {
  const chosen = new ModelRegistry({
    providers: PROVIDERS,
    own_models: { 'ollama:blind': { pictures: false, tools: false } },
    offline_words_per_second: 1,
    stall_ms: 10_000,
    guardedFetch: fetch,
  })
  const blind = { provider: 'ollama' as const, model: 'blind' }
  const seeing = { provider: 'openai' as const, model: 'gpt-4.1' }
  const server = { name: 'x', url: 'https://x.example' }

  it('is done by the fallbacks that can do it', () => {
    const config = { model: { ...blind, fallbacks: [seeing], requires: ['pictures' as const] } }
    expect(chosen.chainOf(config, 'file').map(({ model: name, key_path }) => [name, key_path])).toEqual([
      ['gpt-4.1', 'model.fallbacks.0.api_key'],
    ])
    expect(chosen.abilityFaults(config, 'file')).toEqual([])
    expect(chosen.chainOf({ model: { ...blind, fallbacks: [seeing] } }, 'file')).toHaveLength(2)
  })

  it.each([
    [
      { model: { ...blind, requires: ['pictures' as const, 'tools' as const] } },
      'a model that takes pictures and calls tools',
    ],
    [{ model: blind, mcp_servers: [server] }, 'a model that calls tools'],
    [
      { model: { provider: 'deepseek' as const, model: 'deepseek-chat', requires: ['response_schema' as const] } },
      'a model that follows a JSON Schema by its vendor',
    ],
  ])('refuses an agent none of whose models can: %j', (config, words) => {
    const [fault] = chosen.abilityFaults(config, 'file')
    expect(fault).toMatchObject({ path: ['model', 'model'] })
    expect(fault!.expected).toContain(words)
  })
})

test.each([
  [{ provider: 'xai', model: 'grok-4' }, 'https://api.x.ai/v1/chat/completions', 'authorization', 'Bearer sk-own'],
  [
    { provider: 'anthropic', model: 'claude-sonnet-5' },
    'https://api.anthropic.com/v1/messages',
    'authorization',
    'Bearer sk-own',
  ],
  [
    { provider: 'gemini', model: 'gemini-3-pro' },
    /^https:\/\/generativelanguage.googleapis.com\/v1beta\/models\/gemini-3-pro:streamGenerateContent/,
    'x-goog-api-key',
    'sk-own',
  ],
  [{ provider: 'openai', model: 'gpt-4.1', api: 'responses' }, /\/v1\/responses$/, 'authorization', 'Bearer sk-own'],
] as const)("%j is asked at %s with the agent's own key", async (chosen, url, header, key) => {
  const asked: [string, Headers][] = []
  const before = globalThis.fetch
  globalThis.fetch = async (to, init) => {
    asked.push([to instanceof Request ? to.url : String(to), new Headers(init?.headers)])
    return new Response('{}', { status: 401 })
  }
  try {
    const bare = new ModelRegistry({
      providers: { openai: {} },
      own_models: {},
      offline_words_per_second: 1,
      stall_ms: 9_000,
      guardedFetch: fetch,
    })
    const [first] = bare.chainOf({ model: { ...chosen } }, 'file')
    const request = {
      model: chosen.model,
      system: '',
      messages: [{ role: 'user' as const, parts: [{ type: 'text' as const, text: 'Q' }] }],
      tools: [],
      passages: [],
    }
    const failure = bare.open(first!, 'sk-own').generate(request, async () => {}, new AbortController().signal)
    await expect(failure).rejects.toMatchObject({ kind: 'final', status: 401 })
  } finally {
    globalThis.fetch = before
  }
  expect(asked).toHaveLength(1)
  expect(asked[0]![0]).toMatch(url)
  expect(asked[0]![1].get(header)).toBe(key)
})

it('a server at the usual local port is asked by the guarded fetch when the agent came over the API', async () => {
  const [local] = registry.chainOf({ model: { provider: 'vllm', model: 'm' } }, 'api')
  const request = { model: 'm', system: '', messages: [], tools: [], passages: [] }
  await expect(
    registry.open(local!, undefined).generate(request, async () => {}, new AbortController().signal),
  ).rejects.toThrow()
  expect(sent.map(({ url }) => url)).toEqual(['http://127.0.0.1:8000/v1/chat/completions'])
})
