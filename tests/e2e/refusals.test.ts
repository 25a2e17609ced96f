// What is refused, on every route and frame: wrong input, wrong keys, other people's ids.
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from 'vitest'
import { openStage, type Answer, type CallOptions, type Muxi, type Stage } from '../support/stage.ts'
import { WsClient } from '../support/ws-client.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let muxi: Muxi
const keys = { chat: '', read: '', manage: '', anna: '', bert: '' }
/** Bert's things. */
const ids = { turn: '', conversation: '', key: '', file: '', job: '' }

beforeAll(async () => {
  stage = await openStage()
  muxi = await stage.start('all')
  const makeKey = async (fields: object) =>
    (await stage.call(muxi.url, '/api/v1/keys', { body: { name: 'a key', ...fields } })).body
  for (const scope of ['chat', 'read', 'manage'] as const) keys[scope] = (await makeKey({ scopes: [scope] })).key
  keys.anna = (await makeKey({ scopes: ['chat'], user_id: 'anna' })).key
  const bert = await makeKey({ scopes: ['chat'], user_id: 'bert' })
  keys.bert = bert.key
  ids.key = bert.id
  const { body } = await stage.call(muxi.url, '/api/v1/agents/offline/chat', {
    body: { content: 'Hello' },
    key: keys.bert,
  })
  ids.turn = body.turn_id
  ids.conversation = body.conversation_id
  const form = new FormData()
  form.append('file', new File(['Bert likes tea.'], 'tea.txt'))
  const headers = { authorization: `Bearer ${keys.bert}` }
  const file = await fetch(`${muxi.url}/api/v1/files`, { method: 'POST', headers, body: form })
  ids.file = ((await file.json()) as { id: string }).id
  const job = { kind: 'document', file_id: ids.file }
  ids.job = (await stage.call(muxi.url, '/api/v1/jobs', { body: job, key: keys.bert })).body.id
  await stage.call(muxi.url, `/api/v1/jobs/${ids.job}/stream`, { key: keys.bert })
  return () => stage.close()
})

const call = async (path: string, options?: CallOptions): Promise<Answer & { path: string }> => ({
  ...(await stage.call(muxi.url, path, options)),
  path,
})

const OPENAI_CODES: Record<string, string> = {
  unauthorized: 'invalid_api_key',
  forbidden: 'insufficient_permissions',
  rate_limited: 'rate_limit_exceeded',
}

/** Every error has one form, and below /v1 that of OpenAI. */
function expectError(answer: Answer & { path?: string }, status: number, code: string): void {
  if (answer.path?.startsWith('/v1/')) {
    expect([answer.status, answer.body?.error?.code], answer.text).toEqual([status, OPENAI_CODES[code] ?? code])
    expect(Object.keys(answer.body.error)).toEqual(['message', 'type', 'param', 'code'])
    expect(answer.headers.get('x-request-id')).toMatch(/^req_/)
    return
  }
  expect([answer.status, answer.body?.error?.code], answer.text).toEqual([status, code])
  expect(answer.body.error.message).toMatch(/\w/)
  expect(answer.body.error.details.request_id).toBe(answer.headers.get('x-request-id'))
  expect(answer.text).not.toMatch(/node_modules|\bat \w+.*:\d+:\d+/)
}

type Scope = 'chat' | 'read' | 'manage' | 'admin'

interface Route {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  path: string
  scope: Scope
  /** Another scope that is enough. */
  also?: Scope
  body?: unknown
  /** Takes the id of something that belongs to a user. */
  owned?: boolean
  /** Ignores keys that it does not know, as its clients need it. */
  open?: boolean
  headers?: Record<string, string>
}

const AGENT = {
  id: 'new',
  description: 'New.',
  system_message: 'New.',
  model: { provider: 'offline', model: 'offline' },
}
const COMPLETION = { model: 'offline', messages: [{ role: 'user', content: 'Hello' }] }
const KNOWLEDGE = { id: 'notes', description: 'Notes.', source_type: 'content', content: 'Tea.' }
const TUS = { 'tus-resumable': '1.0.0' }
/** Discard, a port without a listener. */
const MCP_SERVER = { name: 'nobody', url: 'http://127.0.0.1:9/mcp' }
const UI_CHAT = {
  id: `conv_${'0'.repeat(32)}`,
  messages: [{ id: 'm1', role: 'user', parts: [{ type: 'text', text: 'Hello' }] }],
}
const routes = (): Route[] => [
  { method: 'GET', path: '/api/v1/agents', scope: 'read' },
  { method: 'POST', path: '/api/v1/agents', scope: 'manage', body: AGENT },
  { method: 'GET', path: '/api/v1/agents/offline', scope: 'read' },
  { method: 'PATCH', path: '/api/v1/agents/offline', scope: 'manage', body: { description: 'Changed.' } },
  { method: 'DELETE', path: '/api/v1/agents/offline', scope: 'manage' },
  { method: 'POST', path: '/api/v1/agents/import', scope: 'manage', body: { config: AGENT } },
  { method: 'GET', path: '/api/v1/agents/offline/export', scope: 'read' },
  { method: 'GET', path: '/api/v1/agents/offline/conversations', scope: 'chat' },
  { method: 'DELETE', path: '/api/v1/agents/offline/conversations', scope: 'chat' },
  { method: 'POST', path: '/api/v1/agents/offline/chat', scope: 'chat', body: { content: 'Hello' } },
  { method: 'POST', path: '/api/v1/agents/offline/chat/stream', scope: 'chat', body: { content: 'Hello' } },
  { method: 'POST', path: '/api/v1/chat', scope: 'chat', body: { content: 'Hello' } },
  { method: 'POST', path: '/api/v1/chat/stream', scope: 'chat', body: { content: 'Hello' } },
  { method: 'POST', path: '/api/v1/agents/offline/chat/ui', scope: 'chat', body: UI_CHAT, open: true },
  { method: 'POST', path: '/api/v1/chat/ui', scope: 'chat', body: UI_CHAT, open: true },
  { method: 'GET', path: `/api/v1/agents/offline/chat/ui/${UI_CHAT.id}/stream`, scope: 'chat' },
  { method: 'GET', path: `/api/v1/chat/ui/${UI_CHAT.id}/stream`, scope: 'chat' },
  { method: 'GET', path: '/api/v1/system/status', scope: 'read' },
  { method: 'GET', path: '/api/v1/system/usage', scope: 'read' },
  { method: 'GET', path: '/api/v1/turns', scope: 'chat' },
  { method: 'GET', path: `/api/v1/turns/${ids.turn}`, scope: 'chat', owned: true },
  { method: 'GET', path: `/api/v1/turns/${ids.turn}/stream`, scope: 'chat', owned: true },
  { method: 'GET', path: `/api/v1/turns/${ids.turn}/log`, scope: 'chat', also: 'read', owned: true },
  { method: 'GET', path: `/api/v1/turns/${ids.turn}/log/stream`, scope: 'chat', also: 'read', owned: true },
  { method: 'POST', path: `/api/v1/turns/${ids.turn}/cancel`, scope: 'chat', owned: true },
  {
    method: 'POST',
    path: `/api/v1/turns/${ids.turn}/approvals/appr_${'0'.repeat(32)}`,
    scope: 'chat',
    body: { decision: 'deny' },
    owned: true,
  },
  { method: 'GET', path: '/api/v1/logs', scope: 'chat', also: 'read' },
  { method: 'GET', path: '/api/v1/approvals', scope: 'chat' },
  { method: 'GET', path: '/api/v1/events', scope: 'chat', also: 'read' },
  { method: 'GET', path: '/api/v1/search?query=tea', scope: 'chat' },
  { method: 'GET', path: '/api/v1/conversations', scope: 'chat' },
  { method: 'POST', path: '/api/v1/conversations', scope: 'chat', body: { agent_id: 'offline' } },
  { method: 'GET', path: `/api/v1/conversations/${ids.conversation}`, scope: 'chat', owned: true },
  {
    method: 'PATCH',
    path: `/api/v1/conversations/${ids.conversation}`,
    scope: 'chat',
    body: { title: 'Mine' },
    owned: true,
  },
  { method: 'GET', path: `/api/v1/conversations/${ids.conversation}/messages`, scope: 'chat', owned: true },
  { method: 'GET', path: `/api/v1/conversations/${ids.conversation}/export`, scope: 'chat', owned: true },
  { method: 'DELETE', path: `/api/v1/conversations/${ids.conversation}`, scope: 'chat', owned: true },
  { method: 'POST', path: '/api/v1/files', scope: 'chat' },
  { method: 'GET', path: '/api/v1/files', scope: 'chat' },
  { method: 'GET', path: `/api/v1/files/${ids.file}`, scope: 'chat', owned: true },
  { method: 'GET', path: `/api/v1/files/${ids.file}/content`, scope: 'chat', owned: true },
  { method: 'DELETE', path: `/api/v1/files/${ids.file}`, scope: 'chat', owned: true },
  { method: 'POST', path: '/api/v1/files/uploads', scope: 'chat' },
  { method: 'GET', path: `/api/v1/files/uploads/${ids.file}`, scope: 'chat', owned: true },
  { method: 'PATCH', path: `/api/v1/files/uploads/${ids.file}`, scope: 'chat', owned: true, headers: TUS },
  { method: 'DELETE', path: `/api/v1/files/uploads/${ids.file}`, scope: 'chat', owned: true, headers: TUS },
  { method: 'GET', path: '/api/v1/jobs', scope: 'chat' },
  { method: 'POST', path: '/api/v1/jobs', scope: 'chat', body: { kind: 'document', file_id: ids.file } },
  { method: 'GET', path: `/api/v1/jobs/${ids.job}`, scope: 'chat', owned: true },
  { method: 'GET', path: `/api/v1/jobs/${ids.job}/stream`, scope: 'chat', owned: true },
  { method: 'GET', path: `/api/v1/jobs/${ids.job}/text`, scope: 'chat', owned: true },
  { method: 'POST', path: `/api/v1/jobs/${ids.job}/cancel`, scope: 'chat', owned: true },
  { method: 'POST', path: `/api/v1/jobs/${ids.job}/retry`, scope: 'chat', owned: true },
  { method: 'POST', path: '/api/v1/audio/transcriptions', scope: 'chat' },
  { method: 'POST', path: '/api/v1/audio/speech', scope: 'chat', body: { input: 'Hello' } },
  { method: 'GET', path: '/api/v1/agents/offline/knowledge', scope: 'read' },
  { method: 'POST', path: '/api/v1/agents/offline/knowledge', scope: 'manage', body: KNOWLEDGE },
  { method: 'DELETE', path: '/api/v1/agents/offline/knowledge/notes', scope: 'manage' },
  { method: 'GET', path: '/api/v1/agents/offline/knowledge/search?query=tea', scope: 'read' },
  { method: 'GET', path: '/api/v1/agents/offline/mcp_servers', scope: 'read' },
  { method: 'POST', path: '/api/v1/agents/offline/mcp_servers', scope: 'manage', body: MCP_SERVER },
  { method: 'GET', path: '/api/v1/agents/offline/mcp_servers/nobody', scope: 'read' },
  { method: 'DELETE', path: '/api/v1/agents/offline/mcp_servers/nobody', scope: 'manage' },
  { method: 'GET', path: '/api/v1/agents/offline/memory', scope: 'chat' },
  { method: 'DELETE', path: '/api/v1/agents/offline/memory', scope: 'chat' },
  { method: 'GET', path: '/api/v1/agents/offline/memory/search?query=tea', scope: 'chat' },
  ...(['GET', 'POST', 'PATCH', 'DELETE'] as const).map((method): Route => {
    const body = method === 'POST' || method === 'PATCH' ? { body: { knowledge: {} } } : {}
    return { method, path: '/api/v1/users/bert/context_memory', scope: 'chat', also: 'manage', owned: true, ...body }
  }),
  {
    method: 'GET',
    path: '/api/v1/users/bert/context_memory/provenance',
    scope: 'chat',
    also: 'manage',
    owned: true,
  },
  { method: 'GET', path: '/api/v1/users/bert/export', scope: 'chat', also: 'manage', owned: true },
  { method: 'DELETE', path: '/api/v1/users/bert', scope: 'manage' },
  { method: 'GET', path: '/api/v1/users/bert/budget', scope: 'chat', also: 'manage', owned: true },
  { method: 'PUT', path: '/api/v1/users/bert/budget', scope: 'manage', body: { daily_tokens: 1_000_000 } },
  { method: 'DELETE', path: '/api/v1/users/bert/budget', scope: 'manage' },
  { method: 'GET', path: '/api/v1/usage', scope: 'chat', also: 'read' },
  { method: 'GET', path: `/api/v1/keys/${ids.key}/budget`, scope: 'admin' },
  { method: 'PUT', path: `/api/v1/keys/${ids.key}/budget`, scope: 'admin', body: { daily_tokens: 1_000_000 } },
  { method: 'DELETE', path: `/api/v1/keys/${ids.key}/budget`, scope: 'admin' },
  { method: 'GET', path: '/api/v1/keys', scope: 'admin' },
  { method: 'GET', path: '/api/v1/audit', scope: 'admin' },
  { method: 'POST', path: '/api/v1/keys', scope: 'admin', body: { name: 'x', scopes: ['chat'] } },
  { method: 'POST', path: `/api/v1/keys/${ids.key}/rotate`, scope: 'admin', body: {} },
  { method: 'DELETE', path: `/api/v1/keys/${ids.key}`, scope: 'admin' },
  { method: 'GET', path: '/api/v1/key', scope: 'chat' },
  { method: 'POST', path: '/api/v1/ws/tickets', scope: 'chat' },
  { method: 'GET', path: '/v1/models', scope: 'chat', also: 'read' },
  { method: 'GET', path: '/v1/models/offline', scope: 'chat', also: 'read' },
  { method: 'POST', path: '/v1/chat/completions', scope: 'chat', body: COMPLETION },
  { method: 'POST', path: '/v1/embeddings', scope: 'chat', body: { input: 'Tea.' } },
  { method: 'POST', path: '/v1/audio/transcriptions', scope: 'chat' },
  { method: 'POST', path: '/v1/audio/speech', scope: 'chat', body: { input: 'Hello' } },
]

async function head(path: string, key: string): Promise<[status: number, body: string]> {
  const answer = await fetch(muxi.url + path, { method: 'HEAD', headers: { authorization: `Bearer ${key}` } })
  return [answer.status, await answer.text()]
}

async function each(which: (route: Route) => boolean, check: (route: Route) => Promise<void>): Promise<void> {
  const faults: string[] = []
  for (const route of routes().filter(which)) {
    await check(route).catch((error: Error) =>
      faults.push(`${route.method} ${route.path.replaceAll(/_[0-9a-f]{32}/g, '_…')}: ${error.message.split('\n')[0]}`),
    )
  }
  expect(faults).toEqual([])
}

it('the OpenAPI document tells the body of every route that takes one', async () => {
  const { body } = await call('/openapi.json')
  const posts = ['/agents', '/agents/{agent_id}/chat', '/jobs', '/keys', '/conversations']
  for (const path of posts) {
    const { example } = body.paths[`/api/v1${path}`].post.requestBody.content['application/json']
    expect(Object.keys(example), path).not.toEqual([])
  }
})

it('the table of routes is the whole API', async () => {
  const { body } = await call('/openapi.json')
  const documented = Object.entries(body.paths as Record<string, object>).flatMap(([path, methods]) =>
    /^(\/api)?\/v1\//.test(path)
      ? Object.keys(methods).map(
          (method) => `${method.toUpperCase()} ${path.replaceAll(/\{\w+\}/g, '*').replace(/\/$/, '')}`,
        )
      : [],
  )
  const known = routes().map(
    ({ method, path }) =>
      `${method} ${path
        .replaceAll(/(turn|conv|key|file|job|appr)_[0-9a-f]{32}/g, '*')
        .replace('/agents/offline', '/agents/*')
        .replace('/models/offline', '/models/*')
        .replace('/knowledge/notes', '/knowledge/*')
        .replace('/users/bert', '/users/*')
        .replace('/mcp_servers/nobody', '/mcp_servers/*')
        .replace(/\?.*/, '')}`,
  )
  expect(known.toSorted()).toEqual(documented.toSorted())
})

describe('keys', () => {
  it(keeps('refuse.keys', 'without a key, with a wrong one and with one in another form: 401'), async () => {
    await each(
      () => true,
      async ({ method, path, body }) => {
        expectError(await call(path, { method, body, key: '' }), 401, 'unauthorized')
        expectError(await call(path, { method, body, key: 'sk_muxi_wrong' }), 401, 'unauthorized')
        expectError(
          await call(path, { method, body, key: '', headers: { authorization: `Basic ${stage.key}` } }),
          401,
          'unauthorized',
        )
      },
    )
  })

  it(
    keeps('refuse.keys', 'without a key even a wrong body is 401: nothing is disclosed without authentication'),
    async () => {
      expectError(await call('/api/v1/agents/offline/chat', { body: { nonsense: 1 }, key: '' }), 401, 'unauthorized')
      expectError(await call('/api/v1/agents/offline/chat', { body: '{', key: '' }), 401, 'unauthorized')
      expectError(await call('/api/v1/turns?nonsense=1', { key: '' }), 401, 'unauthorized')
    },
  )

  it(keeps('refuse.keys', 'with a key of another scope: 403'), async () => {
    await each(
      () => true,
      async ({ method, path, body, scope, also }) => {
        const wrong = also === 'read' ? keys.manage : scope === 'read' ? keys.chat : keys.read
        expectError(await call(path, { method, body, key: wrong }), 403, 'forbidden')
      },
    )
  })

  it(
    keeps('refuse.keys', 'HEAD with a key of another scope: 403, and with the right one what GET answers'),
    async () => {
      await each(
        ({ method, path }) => method === 'GET' && !path.endsWith('/export'),
        async ({ path, scope, also }) => {
          const wrong = also === 'read' ? keys.manage : scope === 'read' ? keys.chat : keys.read
          expect(await head(path, wrong)).toEqual([403, ''])
          // HEAD of an upload is one of tus.
          if (path.includes('/uploads/')) return
          // The feed has no end.
          const status = path.includes('/events') ? 200 : (await call(path)).status
          expect(await head(path, stage.key)).toEqual([status, ''])
        },
      )
    },
  )

  it(keeps('refuse.keys', 'everything is embedded again for keys that may chat and manage only: 403'), async () => {
    const body = { kind: 'reembed' }
    for (const key of [keys.chat, keys.manage, keys.anna])
      expectError(await call('/api/v1/jobs', { body, key }), 403, 'forbidden')
    for (const wrong of [{ ...body, file_id: ids.file }, { ...body, agent_id: 'offline' }, { kind: 'document' }])
      expectError(await call('/api/v1/jobs', { body: wrong }), 400, 'bad_request')
    const { body: both } = await call('/api/v1/keys', { body: { name: 'both', scopes: ['chat', 'manage'] } })
    const begun = await call('/api/v1/jobs', { body, key: both.key })
    expect(begun.status, begun.text).toBe(202)
    const { id } = begun.body
    for (const [key, path, status, code] of [
      [keys.chat, '/cancel', 403, 'forbidden'],
      [keys.chat, '/retry', 403, 'forbidden'],
      [keys.anna, '', 404, 'not_found'],
    ] as const)
      expectError(await call(`/api/v1/jobs/${id}${path}`, { key, ...(path && { method: 'POST' }) }), status, code)
    await expect.poll(async () => (await call(`/api/v1/jobs/${id}`)).body.status).toBe('completed')
  })

  it(keeps('refuse.keys', 'a key that has been deleted or has expired: 401'), async () => {
    const { body } = await call('/api/v1/keys', { body: { name: 'short', scopes: ['chat'] } })
    expect((await call('/api/v1/turns', { key: body.key })).status).toBe(200)
    expect((await call(`/api/v1/keys/${body.id}`, { method: 'DELETE' })).status).toBe(200)
    expectError(await call('/api/v1/turns', { key: body.key }), 401, 'unauthorized')
    const old = await call('/api/v1/keys', {
      body: { name: 'old', scopes: ['chat'], expires_at: new Date(Date.now() + 2_000).toISOString() },
    })
    await expect
      .poll(async () => (await call('/api/v1/turns', { key: old.body.key })).status, { interval: 200 })
      .toBe(401)
  })

  it(keeps('refuse.keys', 'a rotated key stays valid for its grace period and no longer'), async () => {
    const { body: first } = await call('/api/v1/keys', { body: { name: 'rotated', scopes: ['chat'] } })
    const { body: second } = await call(`/api/v1/keys/${first.id}/rotate`, { body: { grace_seconds: 600 } })
    for (const key of [first.key, second.key]) expect((await call('/api/v1/turns', { key })).status).toBe(200)
    const { body: third } = await call(`/api/v1/keys/${second.id}/rotate`, { body: { grace_seconds: 1 } })
    await expect
      .poll(async () => (await call('/api/v1/turns', { key: second.key })).status, { interval: 200 })
      .toBe(401)
    expect((await call('/api/v1/turns', { key: third.key })).status).toBe(200)
  })

  it(keeps('refuse.keys', 'from an address outside its networks: 403'), async () => {
    const { body } = await call('/api/v1/keys', {
      body: { name: 'far', scopes: ['chat'], networks: ['10.0.0.0/8', '2001:db8::/32'] },
    })
    expectError(await call('/api/v1/turns', { key: body.key }), 403, 'forbidden')
    const near = await call('/api/v1/keys', {
      body: { name: 'near', scopes: ['chat'], networks: ['127.0.0.0/8', '::1'] },
    })
    expect((await call('/api/v1/turns', { key: near.body.key })).status).toBe(200)
    expectError(
      await call('/api/v1/keys', { body: { name: 'none', scopes: ['chat'], networks: ['nowhere'] } }),
      400,
      'bad_request',
    )
  })
})

describe('owners', () => {
  it(keeps('refuse.owners', "an id of another user's is 404, on every route that takes one"), async () => {
    await each(
      ({ owned }) => owned === true,
      async ({ method, path, body, headers }) =>
        expectError(await call(path, { method, body, headers, key: keys.anna }), 404, 'not_found'),
    )
    const intrusion = { content: 'Hello', conversation_id: ids.conversation }
    for (const path of ['/api/v1/agents/offline/chat', '/api/v1/agents/offline/chat/stream']) {
      expectError(await call(path, { body: intrusion, key: keys.anna }), 404, 'not_found')
    }
  })

  it(keeps('refuse.owners', 'ids that do not exist look just the same'), async () => {
    await each(
      ({ owned }) => owned === true,
      async ({ method, path, body, headers }) => {
        const nowhere = path.replace(/[0-9a-f]{32}/, '0123456789abcdef0123456789abcdef')
        const [foreign, missing] = [
          await call(path, { method, body, headers, key: keys.anna }),
          await call(nowhere, { method, body, headers, key: keys.anna }),
        ]
        expectError(missing, 404, 'not_found')
        const form = ({ body: { error } }: Answer) => error.message.replaceAll(/[0-9a-f]{32}/g, '…')
        expect(form(missing)).toBe(form(foreign))
      },
    )
  })

  it(keeps('refuse.owners', 'naming another user than that of the key: 403'), async () => {
    const requests: [string, CallOptions][] = [
      ['/api/v1/agents/offline/chat', { body: { content: 'Hello', user_id: 'bert' } }],
      ['/api/v1/conversations', { body: { agent_id: 'offline', user_id: 'bert' } }],
      ['/api/v1/turns?user_id=bert', {}],
      ['/api/v1/conversations?user_id=bert', {}],
      ['/api/v1/agents/offline/memory?user_id=bert', {}],
      ['/api/v1/agents/offline/memory?user_id=bert', { method: 'DELETE' }],
      ['/api/v1/agents/offline/memory/search?query=tea&user_id=bert', {}],
    ]
    for (const [path, options] of requests)
      expectError(await call(path, { ...options, key: keys.anna }), 403, 'forbidden')
  })

  it(keeps('refuse.owners', "lists show a bound key only its own user's things"), async () => {
    expect((await call('/api/v1/turns', { key: keys.anna })).body.turns).toEqual([])
    expect((await call('/api/v1/conversations', { key: keys.anna })).body.conversations).toEqual([])
    expect(
      (await call('/api/v1/turns', { key: keys.bert })).body.turns.map(({ turn_id }: { turn_id: string }) => turn_id),
    ).toEqual([ids.turn])
  })
})

describe('input', () => {
  it(keeps('refuse.methods', 'every path answers 405 with the methods it knows'), async () => {
    // `search` could be the id of a knowledge source, which DELETE takes.
    const plain = routes().filter(({ path }) => !path.includes('/search'))
    const methods = Map.groupBy(plain, ({ path }) => path)
    const faults: unknown[] = []
    for (const [path, known] of methods) {
      const unknown = known.some(({ method }) => method === 'PUT') ? 'PATCH' : 'PUT'
      const answer = await call(path, { method: unknown, body: {} })
      const allow = (answer.headers.get('allow') ?? '').split(', ').toSorted()
      const expected = known.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
      if (path === '/api/v1/files/uploads') expected.push('OPTIONS')
      expected.sort()
      if (answer.status !== 405 || answer.body.error.code !== 'method_not_allowed' || allow.join() !== expected.join())
        faults.push([path, answer.status, allow])
    }
    expect(faults).toEqual([])
    for (const path of ['/healthz', '/readyz', '/openapi.json', '/']) {
      const answer = await call(path, { method: 'POST', body: {} })
      expect([path, answer.status, answer.headers.get('allow')]).toEqual([path, 405, 'GET, HEAD'])
    }
  })

  it(keeps('refuse.types', 'an unknown key in a body is named, also where no body is taken'), async () => {
    const readsItself = /\/(files|files\/uploads(\/.*)?|transcriptions)$/
    await each(
      ({ method, path, open }) =>
        method !== 'GET' && open !== true && path.startsWith('/api/') && !readsItself.test(path),
      async ({ method, path, body }) => {
        const answer = await call(path, { method, body: { ...(body as object), surplus: 1 } })
        expectError(answer, 400, 'bad_request')
        expect(answer.body.error.details.fields.map((field: { path: string }) => field.path)).toEqual(['surplus'])
      },
    )
  })

  it(keeps('refuse.types', 'an unknown key in a query is named'), async () => {
    await each(
      ({ path }) => path.startsWith('/api/'),
      async ({ method, path, body }) => {
        const answer = await call(`${path}${path.includes('?') ? '&' : '?'}surplus=1`, { method, body })
        expectError(answer, 400, 'bad_request')
        expect(answer.body.error.details.fields.map((field: { path: string }) => field.path)).toEqual(['surplus'])
      },
    )
  })

  it(keeps('refuse.types', 'an empty object stands for no body where none is taken'), async () => {
    expect((await call('/api/v1/ws/tickets', { method: 'POST', body: {} })).status).toBe(201)
    for (const body of ['[]', '7']) {
      const answer = await call('/api/v1/ws/tickets', { method: 'POST', body })
      expectError(answer, 400, 'bad_request')
      expect(answer.body.error).toMatchObject({
        message: "Cannot read the request's body: it must be an empty object",
        details: { fields: [{ path: '', expected: 'an empty object' }] },
      })
    }
  })

  it(keeps('refuse.types', 'wrong types are named by their path, all at once'), async () => {
    const wrong: [string, object, string[]][] = [
      [
        '/api/v1/agents/offline/chat',
        { content: 7, user_id: '', on_busy: 'later', background: 'yes' },
        ['background', 'content', 'on_busy', 'user_id'],
      ],
      ['/api/v1/agents/offline/chat', {}, ['content']],
      ['/api/v1/agents/offline/chat', { content: '' }, ['content']],
      ['/api/v1/agents/offline/chat', { content: 'x', conversation_id: '../etc' }, ['conversation_id']],
      [
        '/api/v1/agents/offline/chat',
        { content: 'x', attachments: [{ type: 'image/png', name: 'a' }] },
        ['attachments.0.data'],
      ],
      [
        '/api/v1/agents/offline/chat',
        { content: 'x', attachments: [{ type: 'image/png', name: 'a', data: '%%%' }] },
        ['attachments.0.data'],
      ],
      [
        '/api/v1/agents',
        { ...AGENT, model: { provider: 'openai', model: 7, fallbacks: [{ provider: 'nobody', model: 'x' }] } },
        ['model.fallbacks.0.provider', 'model.model'],
      ],
      ['/api/v1/conversations', { agent_id: 'Not An Id' }, ['agent_id']],
      ['/api/v1/keys', { name: 'x', scopes: ['everything'] }, ['scopes.0']],
      ['/api/v1/keys', { name: 'x', scopes: ['chat'], networks: ['::1/128', '10.0.0.0/33'] }, ['networks.1']],
    ]
    for (const [path, body, paths] of wrong) {
      const answer = await call(path, { body })
      expectError(answer, 400, 'bad_request')
      expect([body, answer.body.error.details.fields.map((field: { path: string }) => field.path).toSorted()]).toEqual([
        body,
        paths,
      ])
    }
  })

  it(keeps('refuse.types', 'a body that is no object, and none at all, where one is needed'), async () => {
    await each(
      ({ body, path }) => body !== undefined && !path.endsWith('/rotate'),
      async ({ method, path }) => {
        for (const body of ['[]', '"text"', 'null', '7', '']) {
          const answer = await call(path, { method, body })
          expectError(answer, 400, 'bad_request')
          if (body === '' || path.startsWith('/v1/')) continue
          expect(answer.body.error.message).toMatch(/: it must be /)
          expect(answer.body.error.details.fields).toMatchObject([{ path: '' }])
        }
      },
    )
  })

  it(keeps('refuse.types', 'lists take a limit of 1 to 100 and a cursor, and refuse others'), async () => {
    for (const path of [
      '/api/v1/agents',
      '/api/v1/turns',
      '/api/v1/conversations',
      '/api/v1/keys',
      '/api/v1/agents/offline/knowledge',
      '/api/v1/agents/offline/mcp_servers',
      `/api/v1/conversations/${ids.conversation}/messages`,
    ]) {
      for (const limit of ['0', '101', '-1', '1.5', 'ten', ''])
        expectError(await call(`${path}?limit=${limit}`), 400, 'bad_request')
      const one = await call(`${path}?limit=1`)
      expect([path, one.status], one.text).toEqual([path, 200])
      expect(one.body).toMatchObject({ has_more: expect.any(Boolean) })
    }
    const first = await call('/api/v1/keys?limit=2')
    const second = await call(`/api/v1/keys?limit=2&cursor=${first.body.next_cursor}`)
    const names = [...first.body.keys, ...second.body.keys].map(({ id }: { id: string }) => id)
    expect(new Set(names).size).toBe(4)
  })

  it(keeps('refuse.types', 'a number in a query out of its bounds, and a text in its place'), async () => {
    const path = '/api/v1/agents/offline/knowledge/search?query=tea&'
    for (const given of ['-1', '-0.1', '1.5', 'abc', 'NaN', '']) {
      const { status, body } = await call(`${path}threshold=${given}`)
      expect([status, body.error?.details.fields], given).toEqual([
        400,
        [{ path: 'threshold', expected: 'a number from 0 to 1' }],
      ])
    }
    for (const threshold of ['0.5', '0.37672225267586745'])
      expect((await call(`${path}threshold=${threshold}&top_k=2`)).status, threshold).toBe(200)
  })

  it(keeps('refuse.types', 'names that no path can have, because URLs fold them'), async () => {
    for (const name of ['.', '..']) {
      const chat = await call('/api/v1/agents/offline/chat', { body: { content: 'Hello', user_id: name } })
      expect([chat.status, chat.body.error?.details.fields[0].path]).toEqual([400, 'user_id'])
      const body = { id: name, messages: [{ id: 'm1', role: 'user', parts: [{ type: 'text', text: 'Hello' }] }] }
      const ui = await call('/api/v1/agents/offline/chat/ui', { body })
      expect([ui.status, ui.body.error?.details.fields[0].path]).toEqual([400, 'id'])
    }
  })

  it(keeps('refuse.types', 'cursors that no page has given, on every list'), async () => {
    const lists = [
      'agents',
      'files',
      'jobs',
      'turns',
      'conversations',
      'keys',
      'audit',
      'approvals',
      'logs',
      'usage',
      `conversations/${ids.conversation}/messages`,
      'agents/offline/memory',
      'agents/offline/knowledge',
      'agents/offline/mcp_servers',
    ].map((path) => `/api/v1/${path}?`)
    for (const group of ['user', 'agent', 'key']) lists.push(`/api/v1/usage?group_by=${group}&`)
    const document = (await call('/openapi.json')).body as { paths: Record<string, Record<string, object>> }
    const paged = Object.values(document.paths).filter(({ get }) => JSON.stringify(get)?.includes('"name":"cursor"'))
    expect(paged).toHaveLength(14)
    for (const page of [...lists.map((list) => `${list}cursor=Z/Z`), '/api/v1/files?cursor=file_zzz']) {
      const answer = await call(page)
      expectError(answer, 400, 'bad_request')
      const expected = '`next_cursor` of the page before'
      expect([page, answer.body.error.details.fields]).toEqual([page, [{ path: 'cursor', expected }]])
    }
  })

  it(keeps('refuse.types', 'ids in a path that have another form'), async () => {
    for (const path of [
      '/api/v1/turns/nonsense',
      '/api/v1/turns/turn_%2e%2e',
      '/api/v1/conversations/turn_1',
      '/api/v1/agents/NOT',
    ]) {
      const answer = await call(path)
      expect([path, [400, 404].includes(answer.status)]).toEqual([path, true])
      expect(answer.body.error.details.request_id).toBeDefined()
    }
    expectError(await call('/api/v1/agents/nobody/chat', { body: { content: 'Hello' } }), 404, 'not_found')
    expectError(await call('/api/v1/nowhere'), 404, 'not_found')
    for (const path of ['/api/v2', '/api/v2/agents', '/api/v0/agents']) {
      const answer = await call(path)
      expectError(answer, 404, 'not_found')
      expect(answer.body.error.message).toContain('/api/v1')
    }
  })

  it(keeps('refuse.bodies', 'a refused message leaves no conversation'), async () => {
    const foreign = { content: 'x', replaces: `msg_${'0'.repeat(32)}`, user_id: 'nobody' }
    expectError(await call('/api/v1/agents/offline/chat', { body: foreign }), 404, 'not_found')
    expectError(await call('/api/v1/chat', { body: foreign }), 404, 'not_found')
    const url = 'data:text/plain;base64,%%%'
    const parts = [{ type: 'file', mediaType: 'text/plain', url }]
    const chat = { ...UI_CHAT, user_id: 'nobody', messages: [{ id: 'm1', role: 'user', parts }] }
    expectError(await call('/api/v1/agents/offline/chat/ui', { body: chat }), 400, 'bad_request')
    expect((await call('/api/v1/conversations?user_id=nobody')).body.conversations).toEqual([])
  })

  it(keeps('refuse.bodies', 'over the limit: 413, and the connection lives'), async () => {
    const big = (bytes: number) => JSON.stringify({ content: 'x'.repeat(bytes) })
    expectError(await call('/api/v1/conversations', { body: big(2 ** 20 + 1) }), 413, 'payload_too_large')
    expectError(await call('/api/v1/agents/offline/chat', { body: big(26 * 2 ** 20) }), 413, 'payload_too_large')
    // The body that was never read must not block what comes next on the connection.
    expect((await call('/healthz', { signal: AbortSignal.timeout(30_000) })).status).toBe(200)
    const answer = await call('/api/v1/agents/offline/chat', { body: big(300_000) })
    expectError(answer, 413, 'payload_too_large')
    expect(answer.body.error.message).toContain('content')
    // Without a length it is counted as it comes.
    const chunks = new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array(2 ** 16).fill(0x20))
      },
    })
    const init = {
      method: 'POST',
      body: chunks,
      duplex: 'half',
      headers: { authorization: `Bearer ${stage.key}`, 'content-type': 'application/json' },
    }
    const streamed = await fetch(`${muxi.url}/api/v1/conversations`, init as RequestInit).then(
      ({ status }) => status,
      () => 'cut',
    )
    expect([413, 'cut']).toContain(streamed)
    expect((await call('/healthz', { signal: AbortSignal.timeout(30_000) })).status).toBe(200)
  })

  it(keeps('refuse.bodies', 'bad UTF-8, bad JSON and another content type, each in its own words'), async () => {
    const path = '/api/v1/agents/offline/chat'
    const badUtf8 = await call(path, {
      body: Buffer.concat([Buffer.from('{"content":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]),
    })
    expectError(badUtf8, 400, 'bad_request')
    expect(badUtf8.body.error.message).toContain('UTF-8')
    const badJson = await call(path, { body: '{"content": "x"' })
    expectError(badJson, 400, 'bad_request')
    expect(badJson.body.error.message).toContain('JSON')
    expectError(
      await call(path, { body: 'content=x', headers: { 'content-type': 'application/x-www-form-urlencoded' } }),
      415,
      'unsupported_media_type',
    )
    expectError(
      await call(path, { body: '{"content":"x"}', headers: { 'content-type': 'text/plain' } }),
      415,
      'unsupported_media_type',
    )
  })

  it(keeps('refuse.bodies', 'a compressed body is refused by its encoding'), async () => {
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' }
    const answer = await call('/api/v1/agents/offline/chat', { body: gzipSync('{"content":"x"}'), headers })
    expectError(answer, 415, 'unsupported_media_type')
    expect(answer.body.error.message).toContain("'Content-Encoding'")
    const identity = { ...headers, 'content-encoding': 'identity' }
    const taken = await call('/api/v1/keys', { body: '{"name":"x","scopes":["chat"]}', headers: identity })
    expect(taken.status).toBe(201)
  })

  it(keeps('refuse.bodies', 'texts that are no Unicode or have NUL: by path, and replaced in messages'), async () => {
    for (const [path, method, body, field] of [
      ['/api/v1/keys', 'POST', '{"name":"x\\ud800y","scopes":["chat"]}', 'name'],
      ['/api/v1/keys', 'POST', '{"name":"x\\u0000y","scopes":["chat"]}', 'name'],
      ['/api/v1/conversations', 'POST', '{"title":"\\uDC00"}', 'title'],
      ['/api/v1/agents/offline/chat', 'POST', '{"content":"x","user_id":"a\\udfffb"}', 'user_id'],
      ['/api/v1/users/bert/context_memory', 'POST', '{"knowledge":{"a":[{"b\\ud83d":1}]}}', 'knowledge.a.0.b\ufffd'],
    ] as const) {
      const answer = await call(path, { method, body })
      expectError(answer, 400, 'bad_request')
      expect(answer.body.error.details.fields).toMatchObject([{ path: field }])
    }
    const { body } = await call('/api/v1/agents/offline/chat', {
      body: '{"content":"a\\ud800b\\u0000c\\ud83d\\ude00"}',
    })
    expect(body.user_message.content).toBe('a\ufffdb\ufffdc\u{1f600}')
    const { body: list } = await call(`/api/v1/conversations/${body.conversation_id}/messages`)
    expect(list.messages.map(({ content }: { content: string }) => content)).toContain(body.user_message.content)
    const socket = await WsClient.open(`${muxi.url}/api/v1/ws`, { authorization: `Bearer ${stage.key}` })
    socket.socket.send('{"type":"chat","id":"1","data":{"content":"x","user_id":"\\ud800"}}')
    await expect
      .poll(() => socket.frames.at(-1))
      .toMatchObject({
        type: 'error',
        data: { code: 'bad_request', details: { fields: [{ path: 'user_id' }] } },
      })
    socket.close()
  })

  it(keeps('refuse.bodies', 'attachments: too many, no image, an unknown file'), async () => {
    const path = '/api/v1/agents/offline/chat'
    const image = {
      type: 'image/png',
      name: 'a.png',
      data: Buffer.from('\x89PNG\r\n\x1a\n', 'latin1').toString('base64'),
    }
    expectError(
      await call(path, { body: { content: 'x', attachments: Array.from({ length: 21 }, () => image) } }),
      400,
      'bad_request',
    )
    const noise = { ...image, data: Buffer.from([0, 1, 2, 3, 255, 0]).toString('base64') }
    expectError(await call(path, { body: { content: 'x', attachments: [noise] } }), 415, 'unsupported_media_type')
    expectError(
      await call(path, { body: { content: 'x', attachments: [{ type: 'image/png', name: 'a', file_id: 'file_1' }] } }),
      404,
      'not_found',
    )
  })

  it(keeps('refuse.types', 'an Idempotency-Key of the wrong length, and a header that names no event'), async () => {
    expectError(
      await call('/api/v1/agents/offline/chat', {
        body: { content: 'x' },
        headers: { 'idempotency-key': 'k'.repeat(256) },
      }),
      400,
      'bad_request',
    )
    for (const id of ['-1', 'x', '1.5', '1e3', '99999999999999999999']) {
      expectError(
        await call(`/api/v1/turns/${ids.turn}/stream`, { headers: { 'last-event-id': id } }),
        400,
        'bad_request',
      )
    }
  })

  it(keeps('refuse.origins', 'a web page elsewhere, and a name that is not ours'), async () => {
    expectError(await call('/api/v1/turns', { headers: { origin: 'https://evil.example' } }), 403, 'forbidden')
    const origin = 'http://localhost:3000'
    for (const [path, vary] of [
      ['/api/v1/turns', 'origin'],
      ['/openapi.json', 'accept-encoding, origin'],
      ['/api/v1/agents/offline/export', 'accept, origin'],
    ] as const) {
      const answer = await call(path, { headers: { origin } })
      expect([path, answer.status, answer.headers.get('vary')]).toEqual([path, 200, vary])
    }
    expect((await call('/api/v1/turns', { method: 'OPTIONS', headers: { origin } })).headers.get('vary')).toBe('origin')
    await expect(
      WsClient.open(`${muxi.url}/api/v1/ws`, { authorization: `Bearer ${stage.key}`, origin: 'https://evil.example' }),
    ).rejects.toThrow('403')
    expect(await statusWithHost('evil.example')).toBe(403)
    expect(await statusWithHost('localhost')).toBe(200)
  })
})

/** `fetch` does not let a Host be set. */
async function statusWithHost(host: string): Promise<number> {
  const { request } = await import('node:http')
  const { port } = new URL(muxi.url)
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: '/healthz', headers: { host } }, (response) =>
      resolve(response.resume().statusCode ?? 0),
    )
      .on('error', reject)
      .end()
  })
}

describe('frames', () => {
  it(keeps('refuse.frames', 'malformed ones get an error under their id, and the socket stays open'), async () => {
    const socket = await stage.socket(muxi.url)
    const wrong: [unknown, string][] = [
      ['{', ''],
      ['[]', ''],
      ['null', ''],
      [Buffer.from('{"type":"ping","id":"b"}'), ''],
      [{ type: 'ping' }, ''],
      [{ type: 'ping', id: 7 }, ''],
      [{ type: 'ping', id: '', data: {} }, ''],
      [{ type: 'nothing', id: 'c' }, 'c'],
      [{ type: 'toString', id: 'c2' }, 'c2'],
      [{ type: 'ping', id: 'd', data: { surplus: 1 } }, 'd'],
      [{ type: 'ping', id: 'e', surplus: 1 }, ''],
      [{ type: 'chat', id: 'f', data: { agent_id: 'offline' } }, 'f'],
      [{ type: 'chat', id: 'g', data: { agent_id: 'offline', content: 7 } }, 'g'],
      [{ type: 'chat', id: 'h', data: { agent_id: 'offline', content: 'x', surplus: 1 } }, 'h'],
      [{ type: 'chat', id: 'i', data: 'x' }, ''],
      [{ type: 'resume', id: 'j', data: { turn_id: 'nonsense' } }, 'j'],
      [{ type: 'resume', id: 'k', data: { turn_id: ids.turn, after: -1 } }, 'k'],
      [{ type: 'cancel', id: 'l', data: {} }, 'l'],
    ]
    for (const [index, [frame]] of wrong.entries()) {
      socket.socket.send(typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame))
      await socket.waitFor(() => socket.frames.length === index + 1)
    }
    expect(socket.frames.map(({ type, data }) => [type, data.code])).toEqual(wrong.map(() => ['error', 'bad_request']))
    // An id that can be read is repeated, so that the client knows which request it was.
    const repeated = socket.frames.map(({ id }) => id)
    expect(
      wrong.flatMap(([, id], index) => (id !== '' && repeated[index] !== id ? [[id, repeated[index]]] : [])),
    ).toEqual([])
    socket.send('ping', 'alive')
    expect((await socket.waitFor(({ id }) => id === 'alive')).type).toBe('pong')
    socket.close()
  })

  it(
    keeps('refuse.frames', 'over the size limit the socket is closed with 1009, with bad UTF-8 with 1007'),
    async () => {
      const big = await stage.socket(muxi.url)
      big.socket.send(Buffer.alloc(33 * 2 ** 20, 0x20), { binary: false })
      expect(await big.closesWith()).toBe(1009)
      const bad = await stage.socket(muxi.url)
      bad.socket.send(Buffer.from([0x22, 0xc3, 0x28, 0x22]), { binary: false })
      expect(await bad.closesWith()).toBe(1007)
    },
  )

  it(keeps('refuse.frames', 'a missing, wrong or used-up key closes with 4401'), async () => {
    const url = `${muxi.url}/api/v1/ws`
    expect(await new WsClient(url).closesWith()).toBe(4401)
    expect(await new WsClient(url, { authorization: 'Bearer sk_muxi_wrong' }).closesWith()).toBe(4401)
    expect(await new WsClient(`${url}?api_key=wrong`).closesWith()).toBe(4401)
    expect(await new WsClient(`${url}?ticket=wrong`).closesWith()).toBe(4401)
  })

  it(keeps('refuse.frames', "another user's turn is not found, and a key without the scope may not chat"), async () => {
    const anna = await stage.socket(muxi.url, keys.anna)
    anna.send('resume', 'a', { turn_id: ids.turn })
    anna.send('cancel', 'b', { turn_id: ids.turn })
    anna.send('chat', 'c', { agent_id: 'offline', content: 'Hello', conversation_id: ids.conversation })
    anna.send('chat', 'd', { agent_id: 'offline', content: 'Hello', user_id: 'bert' })
    await anna.waitFor(() => anna.frames.length === 4)
    const codes = Object.fromEntries(anna.frames.map(({ id, data }) => [id, data.code]))
    expect(codes).toEqual({ a: 'not_found', b: 'not_found', c: 'not_found', d: 'forbidden' })
    anna.close()
    const reader = await stage.socket(muxi.url, keys.read)
    reader.send('chat', 'a', { agent_id: 'offline', content: 'Hello' })
    expect((await reader.waitFor(({ id }) => id === 'a')).data.code).toBe('forbidden')
    reader.close()
  })
})

it('nothing of all this was unforeseen: no request ended in an internal error', async () => {
  expect(muxi.logs().filter(({ level }) => level >= 50)).toEqual([])
  await stage.check()
})
