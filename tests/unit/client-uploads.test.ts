// Uploads of the client against a real HTTP server: resuming, connections that stall, long pauses, and recordings.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { Http } from '../../client/http.ts'
import { muxi } from '../../client/index.ts'
import { attachmentsOf } from '../../client/files/attachments.ts'
import { transcribe, upload } from '../../client/files/uploads.ts'

const MB = 2 ** 20
const file = { id: 'file_1', name: 'file', size: 9 * MB }

type Answer = (request: IncomingMessage, response: ServerResponse) => void
/** By method and path; what is not here is answered with 500. */
let answers: Record<string, Answer> = {}
let seen: { route: string; size: number; text: string; key: unknown; tenant: unknown }[] = []
let http: Http

const json =
  (body: object, status = 200, headers = {}): Answer =>
  (_, response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
const refuses = (status: number, code: string, headers = {}): Answer =>
  json({ error: { code, message: 'No' } }, status, headers)
/** A large upload as the server has it. */
let state = { id: 'up_1', status: 'receiving', offset: 0, size: 9 * MB }
const begins = json({}, 201, { location: '/api/v1/files/uploads/up_1' })
const tells: Answer = (request, response) =>
  json(state.offset === state.size ? { ...state, status: 'completed', file } : state)(request, response)
const takes: Answer = (_, response) => {
  state.offset += seen.at(-1)!.size
  response.writeHead(204, { 'upload-offset': String(state.offset) }).end()
}
const routes = () => seen.map(({ route }) => route)

beforeAll(async () => {
  const server = createServer(async (request, response) => {
    let size = 0
    let text = ''
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        size += chunk.length
        if (text.length < 2_000) text += chunk.toString('latin1', 0, 2_000)
      }
    } catch {
      return
    }
    const route = `${request.method} ${request.url!.replace('/api/v1', '').replace(/\?.*/, '')}`
    seen.push({ route, size, text, key: request.headers['idempotency-key'], tenant: request.headers['x-tenant'] })
    ;(answers[route] ?? refuses(500, 'internal_error'))(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  http = new Http({ serverUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  return () => new Promise<void>((resolve) => (server.closeAllConnections(), server.close(() => resolve())))
})
beforeEach(() => {
  seen = []
  state = { id: 'up_1', status: 'receiving', offset: 0, size: 9 * MB }
  answers = {
    'POST /files/uploads': begins,
    'GET /files/uploads/up_1': tells,
    'PATCH /files/uploads/up_1': takes,
  }
})
afterEach(() => {
  vi.restoreAllMocks()
})

describe('a large file', () => {
  const bytes = new Blob([new Uint8Array(9 * MB)])

  it('is not mixed with another one whose upload broke off', async () => {
    state = { ...state, offset: 4 * MB, size: 5 * MB }
    await expect(upload(http, bytes, { uploadId: 'up_1' })).rejects.toThrow(
      'Cannot go on with the upload: the file has 9437184 bytes, and had 5242880',
    )
    expect(routes()).toEqual(['GET /files/uploads/up_1'])
  })

  it('goes on in smaller pieces after a connection that stalls, which is given two minutes', async () => {
    const send = vi.spyOn(http, 'send')
    answers['PATCH /files/uploads/up_1'] = () => (answers['PATCH /files/uploads/up_1'] = takes)
    expect(await upload(http, bytes, { timeoutMs: 2_000 })).toMatchObject({ id: 'file_1' })
    const sizes = seen.filter(({ route }) => route.startsWith('PATCH')).map(({ size }) => size / MB)
    expect(sizes).toEqual([8, 4, 4, 1])
    send.mockClear()
    state.offset = 0
    await upload(http, bytes)
    expect(send.mock.calls.map(([method, , init]) => [method, init?.timeoutMs])).toEqual([
      ['POST', undefined],
      ['PATCH', 120_000],
      ['PATCH', 120_000],
    ])
  })

  it.each([
    ['a pause that is too long', refuses(503, 'unavailable', { 'retry-after': '3600' }), 'unavailable', 3_600_000],
    ['a refusal', refuses(403, 'forbidden'), 'forbidden', undefined],
  ])('ends with %s; the error says how to go on', async (_, answer, code, retryAfterMs) => {
    answers['PATCH /files/uploads/up_1'] = answer
    const failed = expect(upload(http, bytes, { signal: AbortSignal.timeout(2_000) })).rejects
    await failed.toMatchObject({ code, retryAfterMs, details: { upload_id: 'up_1' } })
  })
})

describe('a stream of unknown size', () => {
  const streamOf = (pieces: number, pauseMs: number, mayEnd = Promise.resolve()) =>
    new ReadableStream<Uint8Array<ArrayBuffer>>({
      async pull(controller) {
        if (pieces === 1) await mayEnd
        if (pieces-- === 0) return controller.close()
        if (pieces < 10) await sleep(pauseMs)
        controller.enqueue(new Uint8Array(MB))
      },
    })

  it('may take longer than the limit of a call while it moves', async () => {
    answers['POST /files'] = json(file, 201)
    expect(await upload(http, streamOf(19, 60), { timeoutMs: 300 })).toMatchObject({ id: 'file_1' })
    expect(seen[0]!.size).toBeGreaterThan(19 * MB)
  })

  it('fails when no answer comes', async () => {
    answers['POST /files'] = () => undefined
    await expect(upload(http, streamOf(10, 0), { timeoutMs: 300 })).rejects.toMatchObject({ code: 'timeout' })
  })
})

it('files of a message with a key have keys of their own, the same when it is sent again', async () => {
  answers['POST /files'] = json(file, 201)
  const large = new Blob([new Uint8Array(MB)])
  const stream = () => new Blob(['small']).stream()
  for (let time = 0; time < 2; time += 1)
    await attachmentsOf(http, { images: [large], files: [stream()] }, { idempotencyKey: 'my-key' })
  expect(seen.map(({ key }) => key)).toEqual(['file-1 my-key', 'file-2 my-key', 'file-1 my-key', 'file-2 my-key'])
})

it('files of a message are uploaded with its headers', async () => {
  answers['POST /files'] = json(file, 201)
  answers['POST /agents/guide/chat'] = json({})
  const files = [new Blob([new Uint8Array(MB)]), new Blob(['small']).stream()]
  const headers = { 'x-tenant': 'blue' }
  await muxi({ serverUrl: http.options.serverUrl }).chat('See.', { agentName: 'guide', files, headers })
  expect(seen.map(({ route, tenant }) => [route, tenant])).toEqual([
    ['POST /files', 'blue'],
    ['POST /files', 'blue'],
    ['POST /agents/guide/chat', 'blue'],
  ])
})

it('an agent whose knowledge cannot be read is not created', async () => {
  const app = muxi({ serverUrl: http.options.serverUrl })
  const agent = { system_message: 'You answer.', knowledge: [{ content: 'Tea.' }, { path: '/no/such/file.txt' }] }
  await expect(app.addAgent('guide', agent)).rejects.toThrow('ENOENT')
  expect(seen).toEqual([])
})

describe('a recording', () => {
  const sound = new Blob([new Uint8Array(9 * MB)])
  const done = { id: 'job_1', result: {} }
  const jobAnswers = () =>
    Object.assign(answers, {
      'POST /jobs': json({ id: 'job_1' }, 202),
      'GET /jobs/job_1/stream': ((_, response) =>
        response
          .writeHead(200, { 'content-type': 'text/event-stream' })
          .end(`id: 1\nevent: completed\ndata: ${JSON.stringify(done)}\n\n`)) satisfies Answer,
      'GET /jobs/job_1/text': ((_, response) =>
        response.writeHead(200, { 'content-type': 'text/plain' }).end('Tea.')) satisfies Answer,
    })

  it('is uploaded in pieces when it is large and only its text is asked for', async () => {
    jobAnswers()
    expect(await transcribe(http, sound, { language: 'en', denoise: 'true' })).toEqual({
      text: 'Tea.',
      job_id: 'job_1',
    })
    const asked = seen.find(({ route }) => route === 'POST /jobs')!
    expect(JSON.parse(asked.text)).toEqual({
      kind: 'audio',
      file_id: 'file_1',
      options: { language: 'en', denoise: true },
    })
    expect(routes()).not.toContain('POST /audio/transcriptions')
  })

  it('that takes longer than the server waits has the form that was asked for, or an error that names its job', async () => {
    jobAnswers()
    answers['POST /audio/transcriptions'] = json({ id: 'job_1' }, 202)
    const small = new Blob(['x'])
    expect(await transcribe(http, small, { response_format: 'text' })).toBe('Tea.')
    expect(await transcribe(http, small)).toEqual({ text: 'Tea.', job_id: 'job_1' })
    for (const response_format of ['srt', 'vtt', 'verbose_json'] as const)
      await expect(transcribe(http, small, { response_format })).rejects.toMatchObject({ details: { job_id: 'job_1' } })
  })

  it('is sent whole as a stream of unknown size', async () => {
    answers['POST /audio/transcriptions'] = json({ text: 'Tea.', job_id: 'job_1' })
    await transcribe(http, new Blob(['some bytes']).stream())
    expect(seen[0]!.text).toContain('some bytes')
  })
})
