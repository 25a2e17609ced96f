// Every operation of the OpenAPI document is called by a method of the client.
import { expect, it } from 'vitest'
import { openApiDocument } from '../../api/openapi.ts'
import { type Fetch, muxi } from '../../client/index.ts'
import { apiRoutes } from '../support/api-routes.ts'
import { type ApiDocument, operationNames } from '../support/document-types.ts'

const document = openApiDocument(apiRoutes(), '1.0.0') as unknown as ApiDocument
/** Enough for two pieces of an upload. */
const LARGE = 9 * 2 ** 20

it('none is missing, and those with an idempotency key get one', async () => {
  const called = new Map<string, RequestInit>()
  const fetch: Fetch = async (url, init) => {
    const { pathname } = new URL(url)
    const { method = 'GET' } = init
    called.set(`${method} ${pathname}`, init)
    if (!pathname.startsWith('/api/v1/files/uploads')) throw new TypeError('offline')
    const headers = { location: '/api/v1/files/uploads/x', 'upload-offset': String(LARGE) }
    return method === 'GET'
      ? Response.json({ status: 'completed', file: {} })
      : new Response(null, { status: 204, headers })
  }
  const app = muxi({ serverUrl: 'http://muxi.test', apiKey: 'sk_muxi_x', fetch, maxRetries: 0 })
  const leave = new AbortController()
  const { signal } = leave
  // Methods that the client makes itself, with what they need.
  const turns: Partial<typeof app.turns> = { ...app.turns }
  delete turns.follow
  delete turns.followLog
  const { follow: _job, ...jobs } = app.jobs
  const { create: _file, ...files } = app.files
  const { transcribe: _speech, ...audio } = app.audio
  const { http: _http, search, ...resources } = Object.assign({}, app, { turns, jobs, files, audio })
  const methods = [search, ...Object.values(resources).flatMap((resource) => Object.values(resource))]
  const begun: Promise<unknown>[] = methods.map((method) =>
    (method as (...args: unknown[]) => Promise<unknown>)('x', 'x', undefined, { signal }),
  )
  begun.push(
    app.chat('Hello'),
    app.chat('Hello', { agentName: 'x' }),
    app.chat('Hello', { stream: true, signal }).done(),
    app.chat('Hello', { agentName: 'x', stream: true, signal }).done(),
    app.turns.follow('x', { signal }).done(),
    app.turns.followLog('x', { signal }).next(),
    app.jobs.follow('x', { signal }).result(),
    app.changes({ signal }).next(),
    app.files.create(new Blob(['x'])),
    app.files.create(new Blob([new Uint8Array(LARGE)])),
    app.audio.transcribe(new Blob(['x'])),
  )
  const settled = Promise.allSettled(begun)
  const patternOf = (operation: string) => new RegExp(`^${operation.replaceAll(/{\w+}/g, 'x')}$`)
  const missing = () =>
    operationNames(document).filter((operation) => ![...called.keys()].some((each) => patternOf(operation).test(each)))
  await expect.poll(missing, { timeout: 10_000 }).toEqual([])
  leave.abort()
  await settled
  const withKey = operationNames(document).filter((operation) => {
    const [method = '', path = ''] = operation.split(' ')
    const { parameters = [] } = document.paths[path]![method.toLowerCase()]!
    return parameters.some(({ name }) => name === 'idempotency-key')
  })
  expect(withKey.length).toBeGreaterThan(5)
  for (const operation of withKey) {
    const init = called.get(operation.replaceAll(/{\w+}/g, 'x'))!
    expect([...(init.headers as Headers).keys()], operation).toContain('idempotency-key')
  }
})
