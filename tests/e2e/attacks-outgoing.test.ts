// Attacks on outgoing requests: addresses of models that are given over the API, and what the servers there answer.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

const ENVIRONMENT_KEY = 'sk-environment-3f7b21c9'
const ORGANIZATION = 'org-environment-5d1e'
const CUSTOM = 'custom-environment-77aa'

let stage: Stage
/** What the server of an attacker, on a private address, was sent. */
const received: IncomingMessage[] = []
let answer: (response: ServerResponse) => void
const server = createServer((request, response) => {
  received.push(request)
  request.resume()
  answer(response)
})
let port: number

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve))
  port = (server.address() as AddressInfo).port
  stage = await openStage({
    agents: {
      beside: {
        description: 'Has a model on this machine.',
        system_message: 'You answer.',
        model: { provider: 'openai', model: 'm', base_url: `http://127.0.0.1:${port}/v1` },
      },
    },
    env: {
      MUXI_API_ENV: 'SHARED_KEY',
      SHARED_KEY: ENVIRONMENT_KEY,
      OPENAI_ORG_ID: ORGANIZATION,
      OPENAI_CUSTOM_HEADERS: `x-custom: ${CUSTOM}`,
    },
  })
  return async () => {
    await stage.close()
    server.closeAllConnections()
    server.close()
  }
})
beforeEach(() => {
  received.length = 0
  answer = say
})
// Calls to the server of the attacker, or to none, are not seen by the scripted model.
afterEach(() => stage.check({ unsent: 4 }))

function say(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const chunk = (delta: object, finish_reason: string | null) =>
    response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason }] })}\n\n`)
  chunk({ content: 'planted answer' }, null)
  chunk({}, 'stop')
  response.end('data: [DONE]\n\n')
}

let agents = 0
/** An agent over the API. */
function anAgent(model: object) {
  agents += 1
  return {
    id: `attacker-${agents}`,
    description: 'Attacks.',
    system_message: 'You attack.',
    model: { provider: 'openai', model: 'm', ...model },
  }
}

async function makeAgent(muxi: Muxi, model: object): Promise<string> {
  const { status, text, body } = await stage.call(muxi.url, '/api/v1/agents', { body: anAgent(model) })
  expect([status, text]).toEqual([201, text])
  return body.id
}

async function ask(muxi: Muxi, agent: string) {
  const stream = await stage.chat(muxi.url, 'Hello', { agent })
  await stream.untilFinal()
  const turnId: string = stream.events[0]!.data.turn_id
  const { body: log } = await stage.call(muxi.url, `/api/v1/turns/${turnId}/log`)
  return { stream, final: stream.final!, turnId, log }
}

describe('where private addresses are not allowed', () => {
  let muxi: Muxi
  /** Agents that were made while they were allowed. */
  const made: string[] = []
  beforeAll(async () => {
    const before = await stage.start('all', { env: { MUXI_ALLOW_PRIVATE_URLS: 'true' } })
    made.push(
      await makeAgent(before, { base_url: `http://127.0.0.1:${port}/v1` }),
      await makeAgent(before, { base_url: `http://localhost:${port}/v1` }),
      await makeAgent(before, { base_url: `http://2130706433:${port}/v1` }),
      await makeAgent(before, { base_url: `http://[::ffff:127.0.0.1]:${port}/v1`, api_key: 'k' }),
    )
    await before.stop()
    muxi = await stage.start('all', { env: { MUXI_ALLOW_PRIVATE_URLS: 'false' } })
    return async () => void (await muxi.stop())
  })

  it.each([
    '127.0.0.1',
    '2130706433',
    '0x7f000001',
    '017700000001',
    '0177.0.0.1',
    '127.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '0.0.0.0',
    '[::]',
    '10.0.0.1',
    '192.168.0.1',
    '169.254.169.254',
    '[::ffff:169.254.169.254]',
    '[fd00:ec2::254]',
    'localhost',
    'LOCALHOST',
  ])(keeps('attack.model-url', 'an agent on http://%s is refused, as a fallback too'), async (host) => {
    const base_url = `http://${host}:${port}/v1`
    const model = { provider: 'openai', model: 'm', base_url, api_key: 'k' }
    for (const [path, given] of [
      ['model.base_url', model],
      ['model.fallbacks.0.base_url', { provider: 'offline', model: 'offline', fallbacks: [model] }],
    ] as const) {
      const { status, body } = await stage.call(muxi.url, '/api/v1/agents', { body: anAgent(given) })
      expect([status, body.error.code]).toEqual([400, 'bad_request'])
      expect(body.error.message).toContain(`'${path}' must be an address that may be reached: Cannot reach`)
      expect(body.error.details.fields).toEqual([{ path, expected: 'an address that may be reached' }])
    }
    expect(received).toEqual([])
  })

  it(
    keeps('attack.model-url', 'an agent that exists already is refused at the call, finally, and nothing is sent'),
    async () => {
      for (const agent of made) {
        const { final, log } = await ask(muxi, agent)
        expect(final).toMatchObject({
          type: 'error',
          data: { code: 'upstream_error', details: { provider: 'openai' } },
        })
        const calls = log.entries.filter(({ kind }: { kind: string }) => kind === 'model_call')
        expect(calls).toHaveLength(1)
        expect(calls[0].error).toMatchObject({ kind: 'final', message: expect.stringContaining('is refused') })
      }
      expect(received).toEqual([])
    },
  )

  it(keeps('attack.operator-url', 'the model of an agent file and of OPENAI_BASE_URL answer'), async () => {
    const { final } = await ask(muxi, 'beside')
    expect(final.type).toBe('message_end')
    expect(received).toHaveLength(1)
    const stream = await stage.chat(muxi.url, stage.model.script({ say: 'Here I am.' }))
    await stream.untilFinal()
    expect(stream.final?.type).toBe('message_end')
    const posted = await makeAgent(muxi, {})
    const other = await stage.chat(muxi.url, stage.model.script({ say: 'Here too.' }), { agent: posted })
    await other.untilFinal()
    expect(other.final?.type).toBe('message_end')
  })

  it(
    keeps('attack.builtin-url', 'the search server is told neither a private service nor to open private pages'),
    async () => {
      for (const env of [
        { SEARXNG_BASE_URL: `http://127.0.0.1:${port}` },
        { SEARXNG_BASE_URL: 'https://search.example.org', MUXI_ALLOW_PRIVATE_URLS: 'true' },
      ]) {
        const body = { name: 'search', builtin: 'search', env }
        const { status, text } = await stage.call(muxi.url, '/api/v1/agents/offline/mcp_servers', { body })
        expect([status, text]).toEqual([422, expect.stringContaining(`'env.${Object.keys(env).at(-1)}' must be`)])
      }
      expect(received).toEqual([])
    },
  )
})

describe('where private addresses are allowed', () => {
  let muxi: Muxi
  beforeAll(async () => {
    muxi = await stage.start('all', { env: { MUXI_ALLOW_PRIVATE_URLS: 'true' } })
    return async () => void (await muxi.stop())
  })

  it.each(['169.254.169.254', '[::ffff:a9fe:a9fe]', '100.100.100.200', '0.0.0.0', '127.0.0.1'])(
    keeps('attack.model-redirect', 'a redirect to http://%s is not followed'),
    async (host) => {
      answer = (response) => response.writeHead(307, { location: `http://${host}:${port}/latest` }).end()
      const agent = await makeAgent(muxi, { base_url: `http://127.0.0.1:${port}/v1` })
      const { final, log } = await ask(muxi, agent)
      expect(final).toMatchObject({ type: 'error', data: { code: 'upstream_error' } })
      expect(log.entries[0].error.message).toContain('307')
      expect(received.map(({ url }) => url)).toEqual(['/v1/chat/completions'])
    },
  )

  it(
    keeps('attack.model-key', 'a model address over the API gets its own key or none, and no other header'),
    async () => {
      const base_url = `http://127.0.0.1:${port}/v1`
      await ask(muxi, await makeAgent(muxi, { base_url }))
      await ask(muxi, await makeAgent(muxi, { base_url, api_key: 'sk-own' }))
      expect(received.map(({ headers }) => headers.authorization)).toEqual(['Bearer none', 'Bearer sk-own'])
      const sent = JSON.stringify(received.map(({ rawHeaders }) => rawHeaders))
      for (const secret of [ENVIRONMENT_KEY, ORGANIZATION, CUSTOM]) expect(sent).not.toContain(secret)
      const { body, status } = await stage.call(muxi.url, '/api/v1/agents', {
        body: anAgent({ base_url: 'https://model.example.org/v1', api_key: '${SHARED_KEY}' }),
      })
      expect([status, body.error.details.fields]).toEqual([
        422,
        [
          {
            path: 'model.api_key',
            expected: "a key itself, without the name of a variable, because 'model.base_url' is given",
          },
        ],
      ])
    },
  )

  it(keeps('attack.error-body', 'the body of a refusal is in the log alone, its beginning only'), async () => {
    const planted = `planted body ${'x'.repeat(5_000)}`
    answer = (response) => {
      response.writeHead(403, { 'content-type': 'application/json', 'x-request-id': 'req-upstream' })
      response.end(JSON.stringify({ error: { message: planted } }))
    }
    const agent = await makeAgent(muxi, { base_url: `http://127.0.0.1:${port}/v1` })
    const { stream, final, turnId, log } = await ask(muxi, agent)
    expect(final.data).toMatchObject({
      code: 'upstream_error',
      details: { provider: 'openai', status: 403, provider_request_id: 'req-upstream' },
    })
    expect(final.data.details).not.toHaveProperty('request_id')
    expect(log.entries[0].error).toMatchObject({ provider_request_id: 'req-upstream' })
    const waiting = await stage.call(muxi.url, `/api/v1/agents/${agent}/chat`, { body: { content: 'Hello' } })
    expect(waiting.body.error.details).toMatchObject({
      status: 403,
      provider_request_id: 'req-upstream',
      request_id: waiting.headers.get('x-request-id'),
    })
    const shown = JSON.stringify([stream.events, await stage.turn(muxi.url, turnId)])
    expect(shown).not.toContain('planted body')
    const { message } = log.entries[0].error
    expect(message).toContain('planted body')
    expect(message.length).toBeLessThanOrEqual(300)
    expect(muxi.stderr()).not.toContain('planted body')
  })

  it(keeps('attack.error-body', 'a body without an end does not fill the memory'), async () => {
    answer = (response) => {
      response.writeHead(403, { 'content-type': 'text/plain' })
      const more = () => {
        while (!response.destroyed && response.write('y'.repeat(65_536)));
      }
      response.on('drain', more)
      more()
    }
    const agent = await makeAgent(muxi, { base_url: `http://127.0.0.1:${port}/v1` })
    const { final } = await ask(muxi, agent)
    expect(final.data).toMatchObject({ code: 'upstream_error', details: { status: 403 } })
  })
})

it(keeps('attack.error-body', 'embeddings and speech fail with provider, status and request id alone'), async () => {
  answer = (response) => {
    response.writeHead(403, { 'content-type': 'application/json', 'x-request-id': 'req-upstream' })
    response.end(JSON.stringify({ error: { message: `planted body ${'x'.repeat(5_000)}` } }))
  }
  const env = {
    OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1`,
    MUXI_EMBEDDING_MODEL: 'openai:small@2',
    MUXI_SPEECH: 'openai:tts',
  }
  const muxi = await stage.start('all', { env })
  for (const [path, body] of [
    ['/api/v1/agents/scripted/knowledge/search?query=pumps', undefined],
    ['/api/v1/audio/speech', { input: 'Hello' }],
  ] as const) {
    const { status, body: answered, text } = await stage.call(muxi.url, path, body === undefined ? {} : { body })
    expect([path, status]).toEqual([path, 502])
    expect(answered.error).toMatchObject({
      code: 'upstream_error',
      details: { provider: 'openai', status: 403, provider_request_id: 'req-upstream' },
    })
    expect(text).not.toContain('planted body')
  }
  expect(received.map(({ url }) => url)).toEqual(['/v1/embeddings', '/v1/audio/speech'])
  expect(muxi.stderr()).not.toContain('x'.repeat(301))
  await muxi.stop()
})
