// Requests of the client against a real server: what is tried again, how long it waits, its errors, and what it keeps secret.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { delayOf } from '../../client/backoff.ts'
import * as errors from '../../client/errors.ts'
import { type LogEntry, type Muxi, muxi } from '../../client/index.ts'
import { STATUS_OF_CODE } from '../../contracts/failures.ts'

const KEY = 'sk_muxi_planted_5f1c9e'

type Step = (request: IncomingMessage, response: ServerResponse) => void
let steps: Step[] = []
let seen: { method: string; url: string; key: string | undefined; body: string }[] = []
let log: LogEntry[] = []
let serverUrl = ''
let app: Muxi

const answers =
  (status: number, body: object | string = {}, headers: Record<string, string> = {}): Step =>
  (_, response) =>
    response
      .writeHead(status, { 'content-type': typeof body === 'string' ? 'text/html' : 'application/json', ...headers })
      .end(typeof body === 'string' ? body : JSON.stringify(body))
const resets: Step = (request) => request.socket.resetAndDestroy()
/** Breaks off in the middle of its body. */
const breaksOff: Step = (request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' }).write('{"a":')
  setImmediate(() => request.socket.resetAndDestroy())
}
const never: Step = () => undefined
const refused = (code: string, message = 'No', details: object = {}) => ({ error: { code, message, details } })

beforeAll(async () => {
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const { method = '', url = '', headers } = request
    seen.push({ method, url, key: headers['idempotency-key'] as string | undefined, body })
    ;(steps.shift() ?? answers(500))(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  serverUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return () => new Promise<void>((resolve) => (server.closeAllConnections(), server.close(() => resolve())))
})
beforeEach(() => {
  steps = []
  seen = []
  log = []
  app = muxi({ serverUrl, apiKey: KEY, log: (entry) => log.push(entry) })
})
afterEach(() => expect(steps).toEqual([]))

/** Fails with a `Retry-After` of nothing, so that tests do not wait. */
const AT_ONCE = { 'retry-after': '0' }
const ok = answers(200, { id: 'tea' })

describe('retries', () => {
  it.each([408, 429, 500, 502, 503, 504])('a GET is repeated twice after %i', async (status) => {
    steps = [answers(status, {}, AT_ONCE), answers(status, {}, AT_ONCE), ok]
    expect(await app.agents.get('tea')).toEqual({ id: 'tea' })
    expect(log.map((entry) => [entry.attempt, entry.status])).toEqual([
      [1, status],
      [2, status],
      [3, 200],
    ])
    steps = Array.from({ length: 3 }, () => answers(status, {}, AT_ONCE))
    await expect(app.agents.get('tea')).rejects.toMatchObject({ status })
  })

  it.each([400, 401, 403, 404, 405, 409, 412, 413, 415, 422])('nothing is repeated after %i', async (status) => {
    steps = [answers(status, {}, AT_ONCE)]
    await expect(app.agents.get('tea')).rejects.toMatchObject({ status })
    expect(seen).toHaveLength(1)
  })

  it('a reset connection and an answer that breaks off are repeated, with the same key', async () => {
    steps = [resets, breaksOff, answers(202, { id: 'job_1' })]
    expect(await app.jobs.create({ kind: 'document', file_id: 'file_1' })).toEqual({ id: 'job_1' })
    const [first, ...others] = seen
    expect(first!.key).toMatch(/^[0-9a-f]{32}$/)
    expect(others).toEqual([first, first])
    steps = [answers(202, {})]
    await app.jobs.create({ kind: 'document', file_id: 'file_1' })
    expect(seen.at(-1)!.key).not.toBe(first!.key)
  })

  it('what the server would do twice is repeated only when it was refused', async () => {
    steps = [answers(429, {}, AT_ONCE), answers(201, { id: 'key_1' })]
    await app.keys.create({ name: 'shop', scopes: ['chat'] })
    for (const step of [resets, answers(500, {}, AT_ONCE)]) {
      steps = [step]
      await expect(app.keys.create({ name: 'shop', scopes: ['chat'] })).rejects.toBeInstanceOf(errors.MuxiError)
    }
    expect(seen).toHaveLength(4)
  })

  it('maxRetries counts, of the client and of a call, and a long Retry-After is left to the caller', async () => {
    steps = [resets]
    await expect(muxi({ serverUrl, maxRetries: 0 }).agents.get('tea')).rejects.toBeInstanceOf(
      errors.ConnectionLostError,
    )
    steps = [resets]
    await expect(app.agents.get('tea', { maxRetries: 0 })).rejects.toBeInstanceOf(errors.ConnectionLostError)
    steps = [answers(429, refused('budget_exceeded'), { 'retry-after': '3600' })]
    await expect(app.agents.get('tea')).rejects.toMatchObject({ code: 'budget_exceeded', retryAfterMs: 3_600_000 })
  })

  it('a message that is not streamed outlasts an outage, and its error has its key', async () => {
    steps = [...Array.from({ length: 6 }, () => answers(503, {}, AT_ONCE)), answers(200, { turn_id: 'turn_1' })]
    expect(await app.chat('Hi')).toMatchObject({ turn_id: 'turn_1' })
    expect(new Set(seen.map(({ key }) => key)).size).toBe(1)
    steps = [resets]
    const error = await app.chat('Hi', { maxRetries: 0 }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'connection_lost', details: { idempotency_key: seen.at(-1)!.key } })
    steps = [resets]
    await expect(muxi({ serverUrl, maxRetries: 0 }).chat('Hi')).rejects.toBeInstanceOf(errors.ConnectionLostError)
    // The answer of a turn that has failed stays what it is.
    steps = Array.from({ length: 3 }, () => answers(502, refused('upstream_error'), AT_ONCE))
    await expect(app.chat('Hi')).rejects.toMatchObject({ code: 'upstream_error' })
  })

  it('a deletion that finds nothing when it is repeated was done by the attempt before', async () => {
    steps = [resets, answers(404, refused('not_found'))]
    expect(await app.agents.delete('tea')).toEqual({})
    steps = [answers(404, refused('not_found'))]
    await expect(app.agents.delete('tea')).rejects.toBeInstanceOf(errors.NotFoundError)
  })

  it('Retry-After counts before the backoff, in seconds and as a date', async () => {
    // A date has whole seconds.
    const date = () => new Date(Date.now() + 2_000).toUTCString()
    for (const [header, least] of [
      [() => '1', 950],
      [date, 900],
    ] as const) {
      steps = [answers(503, {}, { 'retry-after': header() }), ok]
      const begun = Date.now()
      await app.agents.get('tea')
      expect(Date.now() - begun).toBeGreaterThanOrEqual(least)
    }
  })

  it('the backoff is full jitter, up to 15 s', () => {
    for (const [attempt, most] of [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000].entries()) {
      const delays = Array.from({ length: 500 }, () => delayOf(attempt))
      expect(Math.max(...delays)).toBeLessThanOrEqual(most)
      expect(Math.max(...delays)).toBeGreaterThan(most * 0.9)
      expect(Math.min(...delays)).toBeLessThan(most * 0.1)
    }
    expect(delayOf(3, 70)).toBe(70)
  })
})

describe('limits', () => {
  it('an answer that does not come is a TimeoutError', async () => {
    steps = [never]
    await expect(app.agents.get('tea', { timeoutMs: 50, maxRetries: 0 })).rejects.toMatchObject({ code: 'timeout' })
  })

  it('a limit beyond the longest timer does not end a request at once', async () => {
    steps = [(...call) => setTimeout(() => ok(...call), 50)]
    expect(await app.agents.get('tea', { timeoutMs: Infinity, maxRetries: 0 })).toEqual({ id: 'tea' })
  })

  it('a signal ends a request and the wait before another one, with its own reason', async () => {
    const reason = new Error('enough')
    const request = new AbortController()
    steps = [() => request.abort(reason)]
    await expect(app.agents.get('tea', { signal: request.signal })).rejects.toBe(reason)
    const wait = new AbortController()
    steps = [
      (...call) => {
        answers(503, {}, { 'retry-after': '30' })(...call)
        setTimeout(() => wait.abort(reason), 50)
      },
    ]
    await expect(app.agents.get('tea', { signal: wait.signal })).rejects.toBe(reason)
    await expect(app.agents.get('tea', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(seen).toHaveLength(2)
  })

  it.each(['', '.', '..', undefined])('the id %j is refused: it would lead to another operation', (id) => {
    expect(() => app.users.delete(id as string)).toThrow(/'userId' must be an id/)
  })
})

describe('errors', () => {
  it('every code has a class, with status, details, request id and Retry-After', async () => {
    const classes: Record<string, unknown> = { ...errors }
    for (const [code, status] of Object.entries(STATUS_OF_CODE)) {
      steps = [answers(status, refused(code, 'No', { a: 1 }), { 'x-request-id': 'req_1', 'retry-after': '90' })]
      const error = (await app.agents.get('tea').catch((each: unknown) => each)) as errors.MuxiError
      const name = `${code.replace(/(^|_)(\w)/g, (_all, _mark, letter: string) => letter.toUpperCase())}Error`
      expect(error.name).toBe(name.replace('ErrorError', 'Error'))
      expect(error.constructor).toBe(classes[error.name])
      expect(error).toMatchObject({
        code,
        status,
        message: 'No',
        details: { a: 1 },
        requestId: 'req_1',
        retryAfterMs: 90_000,
      })
    }
  })

  it('what a proxy says gets the code of its status', async () => {
    for (const [status, code] of [
      [404, 'not_found'],
      [413, 'payload_too_large'],
      [418, 'bad_request'],
      [500, 'internal_error'],
      [502, 'unavailable'],
      [504, 'unavailable'],
    ] as const) {
      steps = [answers(status, '<h1>nginx</h1>')]
      await expect(app.agents.get('tea', { maxRetries: 0 })).rejects.toMatchObject({ status, code })
    }
  })

  it('withResponse gives the request id', async () => {
    steps = [answers(200, { id: 'tea' }, { 'x-request-id': 'req_7' })]
    const { data, requestId, response } = await app.agents.get('tea').withResponse()
    expect([data, requestId, response.status]).toEqual([{ id: 'tea' }, 'req_7', 200])
  })
})

it('the key is in no client, error, option or log entry', async () => {
  steps = [answers(403, refused('forbidden', `The key ${KEY} may not`, { authorization: `Bearer ${KEY}` })), resets]
  const refusal = await app.agents.get('tea').catch((error: unknown) => error)
  const lost = await app.agents.get('tea', { maxRetries: 0 }).catch((error: unknown) => error)
  for (const each of [app, app.http, app.http.options, app.getAgent('tea'), refusal, lost, log]) {
    expect(inspect(each, { depth: 10, showHidden: true })).not.toContain(KEY)
    expect(JSON.stringify(each)).not.toContain(KEY)
  }
  expect(JSON.stringify(refusal)).toContain('forbidden')
})

it('a header of a call takes the place of one of the client, however it is written', async () => {
  let sent: IncomingMessage['headers'] = {}
  steps = [
    (request, response) => {
      sent = request.headers
      answers(202)(request, response)
    },
  ]
  const headers = { Authorization: 'Bearer other', 'Idempotency-Key': 'own' }
  await app.jobs.create({ kind: 'document', file_id: 'file_1' }, { headers })
  expect(sent).toMatchObject({ authorization: 'Bearer other', 'idempotency-key': 'own' })
})

it('a client needs an address, and a key that a header can hold', () => {
  // @ts-expect-error: no address
  expect(() => muxi({})).toThrow(/'serverUrl' must be an address/)
  for (const apiKey of ['', 'two words', 'sk_muxi_…', `${KEY}\n`]) {
    const make = () => muxi({ serverUrl, apiKey })
    expect(make).toThrow("Cannot create the client: 'apiKey' must be printable ASCII without spaces")
    if (apiKey) expect(make).not.toThrow(apiKey)
  }
})

it('a list is its first page when awaited, and all items when iterated', async () => {
  const page = (ids: string[], next: string | null) =>
    answers(200, { agents: ids.map((id) => ({ id })), has_more: next !== null, next_cursor: next })
  steps = [page(['a', 'b'], 'b'), page(['c'], null)]
  const ids: string[] = []
  for await (const { id } of app.agents.list({ limit: 2 })) ids.push(id)
  expect(ids).toEqual(['a', 'b', 'c'])
  expect(seen.map(({ url }) => url)).toEqual(['/api/v1/agents?limit=2', '/api/v1/agents?limit=2&cursor=b'])
  steps = [page(['a'], 'a')]
  expect(await app.agents.list()).toMatchObject({ agents: [{ id: 'a' }], next_cursor: 'a' })
  steps = [
    answers(200, { messages: [{ id: 'msg_2' }], has_more: true }),
    answers(200, { messages: [{ id: 'msg_1' }], has_more: false }),
  ]
  const messages = app.agents.exchanges('tea')
  for await (const { id } of messages) ids.push(id)
  expect(ids.slice(3)).toEqual(['msg_2', 'msg_1'])
  expect(seen.at(-1)!.url).toBe('/api/v1/agents/tea/conversations?before=msg_2')
})
