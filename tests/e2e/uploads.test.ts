// Resumable uploads (tus 1.0) by the official client: cut, resumed by any process, ended, refused.
import { randomBytes } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { Upload, type UploadOptions } from 'tus-js-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

const MB = 2 ** 20
const BYTES = randomBytes(10 * MB)
const PATH = '/api/v1/files/uploads'

let stage: Stage
let muxi: Muxi
const keys = { anna: '', bert: '' }

beforeAll(async () => {
  stage = await openStage({ env: { MUXI_LIMIT_UPLOAD_BYTES: String(12 * MB), MUXI_LIMIT_USER_BYTES: String(40 * MB) } })
  muxi = await stage.start('all')
  for (const user_id of ['anna', 'bert'] as const)
    keys[user_id] = (
      await stage.call(muxi.url, '/api/v1/keys', { body: { name: user_id, scopes: ['chat'], user_id } })
    ).body.key
})
afterAll(() => stage.close())

/** Runs until it is finished, or `until` says that it is far enough. */
function upload(options: UploadOptions & { until?: (sent: number) => boolean; bytes?: Buffer }): Promise<Upload> {
  const { until = () => false, bytes = BYTES, ...rest } = options
  return new Promise((resolve, reject) => {
    const client: Upload = new Upload(bytes, {
      endpoint: muxi.url + PATH,
      headers: { authorization: `Bearer ${keys.anna}` },
      retryDelays: null,
      metadata: { filename: 'ferry.bin' },
      onSuccess: () => resolve(client),
      onError: reject,
      onChunkComplete: (_, sent) => {
        if (until(sent)) void client.abort().then(() => resolve(client))
      },
      ...rest,
    })
    client.start()
  })
}

const idOf = ({ url }: Upload) => url!.split('/').at(-1)!
const call = (path: string, options: object = {}) => stage.call(muxi.url, path, { key: keys.anna, ...options })

/** What `tus` requests need besides a key. */
const tus = (headers: Record<string, string> = {}) => ({ 'tus-resumable': '1.0.0', ...headers })

async function content(id: string): Promise<Buffer> {
  const response = await fetch(`${muxi.url}/api/v1/files/${id}/content`, {
    headers: { authorization: `Bearer ${keys.anna}` },
  })
  return Buffer.from(await response.arrayBuffer())
}

describe('the official client', () => {
  it(keeps('files.uploads', 'in one request, and in pieces of any size: a file as any other'), async () => {
    for (const chunkSize of [Infinity, 3 * MB + 1]) {
      let last: string | undefined
      const done = await upload({
        chunkSize,
        onAfterResponse: (_, answer) => void (last = answer.getHeader('x-file-id')),
      })
      expect(last).toBe(idOf(done))
      const { body } = await call(`/api/v1/files/${idOf(done)}`)
      expect(body).toMatchObject({ id: idOf(done), name: 'ferry.bin', size: BYTES.length })
      expect((await content(body.id)).equals(BYTES)).toBe(true)
      expect((await call(`/api/v1/files/${body.id}`, { method: 'DELETE' })).status).toBe(200)
    }
    const withCreation = await upload({ uploadDataDuringCreation: true, bytes: Buffer.from('Hello') })
    expect((await content(idOf(withCreation))).toString()).toBe('Hello')
    const empty = await upload({ bytes: Buffer.alloc(0) })
    expect((await call(`/api/v1/files/${idOf(empty)}`)).body.size).toBe(0)
  })

  it(keeps('files.uploads', 'cut and resumed by another client object, from the stored offset'), async () => {
    const cut = await upload({ chunkSize: MB, until: (sent) => sent >= 2 * MB })
    const state = await call(`${PATH}/${idOf(cut)}`)
    expect(state.body).toMatchObject({ status: 'receiving', size: BYTES.length })
    expect(state.body.offset).toBeGreaterThanOrEqual(2 * MB)
    expect((await call(`/api/v1/files/${idOf(cut)}`)).status).toBe(404)
    let first: number | undefined
    await upload({ uploadUrl: cut.url!, onProgress: (sent) => (first ??= sent) })
    expect(first).toBeGreaterThanOrEqual(2 * MB)
    expect((await content(idOf(cut))).equals(BYTES)).toBe(true)
    // A finished one is told as such to a client that missed the answer.
    await upload({ uploadUrl: cut.url! })
    const { body } = await call(`${PATH}/${idOf(cut)}`)
    expect(body).toMatchObject({ status: 'completed', offset: BYTES.length, file: { id: idOf(cut) } })
  })

  it(keeps('files.uploads', 'with POST in place of PATCH, HEAD and DELETE'), async () => {
    const done = await upload({ overridePatchMethod: true, chunkSize: 4 * MB })
    expect((await content(idOf(done))).equals(BYTES)).toBe(true)
    const cut = await upload({ chunkSize: 4 * MB, until: (sent) => sent >= 4 * MB })
    const override = (method: string) => {
      const authorization = `Bearer ${keys.anna}`
      return fetch(cut.url!, { method: 'POST', headers: tus({ 'x-http-method-override': method, authorization }) })
    }
    const known = await override('HEAD')
    expect([known.status, known.headers.get('upload-offset')]).toEqual([200, String(4 * MB)])
    expect((await override('DELETE')).status).toBe(204)
    expect((await override('HEAD')).status).toBe(404)
    const other = await override('PUT')
    expect([other.status, other.headers.get('allow')]).toEqual([405, 'GET, HEAD, PATCH, DELETE'])
  })

  it(keeps('files.uploads', 'ended by the client: nothing is left'), async () => {
    const cut = await upload({ chunkSize: MB, until: (sent) => sent >= 2 * MB })
    await Upload.terminate(cut.url!, { headers: { authorization: `Bearer ${keys.anna}` } })
    expect((await call(`${PATH}/${idOf(cut)}`)).status).toBe(404)
    expect(await stage.rows('select id from uploads')).toEqual([])
    expect(await stage.rows('select start from upload_pieces')).toEqual([])
  })
})

it(keeps('files.uploads', 'kill -9 of the API within a request: the client goes on at the stored offset'), async () => {
  const { port } = new URL(muxi.url)
  const begun = await call(PATH, { method: 'POST', headers: tus({ 'upload-length': String(BYTES.length) }) })
  const address = begun.headers.get('location')!
  const headers = tus({
    authorization: `Bearer ${keys.anna}`,
    'upload-offset': '0',
    'content-type': 'application/offset+octet-stream',
    'content-length': String(BYTES.length),
  })
  const sending = httpRequest(muxi.url + address, { method: 'PATCH', headers })
  sending.on('error', () => {})
  sending.write(BYTES.subarray(0, 9 * MB))
  let stored = 0
  await expect.poll(async () => (stored = (await call(address)).body.offset)).toBeGreaterThanOrEqual(4 * MB)
  await muxi.kill()
  muxi = await stage.start('all', { port: Number(port) })
  // The first request may meet a connection of the killed process.
  await expect
    .poll(async () => (await call(address).catch(() => undefined))?.body.offset)
    .toBeGreaterThanOrEqual(stored)
  const done = await upload({ uploadUrl: muxi.url + address })
  expect((await content(idOf(done))).equals(BYTES)).toBe(true)
})

it(keeps('files.uploads', 'what is refused: other users, wrong offsets and headers, too many bytes'), async () => {
  const patch = (address: string, offset: number, more: object = {}) => ({
    path: address,
    method: 'PATCH',
    headers: tus({ 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' }),
    body: Buffer.from('Hello'),
    ...more,
  })
  const begin = { path: PATH, method: 'POST' }
  const { headers } = await call(PATH, { method: 'POST', headers: tus({ 'upload-length': '5' }) })
  const address = headers.get('location')!
  const length = (bytes: number, more: Record<string, string> = {}) => ({
    headers: tus({ 'upload-length': String(bytes), ...more }),
  })
  for (const [asked, status, code] of [
    [patch(address, 0, { key: keys.bert }), 404, 'not_found'],
    [{ path: address, key: keys.bert }, 404, 'not_found'],
    [{ path: address, key: keys.bert, method: 'DELETE', headers: tus() }, 404, 'not_found'],
    [patch(address, 0, { headers: { 'upload-offset': '0' } }), 412, 'precondition_failed'],
    [{ path: address, method: 'DELETE', headers: { 'tus-resumable': '0.2.2' } }, 412, 'precondition_failed'],
    [
      { path: address, method: 'DELETE', key: keys.bert, headers: { 'tus-resumable': '2' } },
      412,
      'precondition_failed',
    ],
    [{ ...begin, headers: { 'tus-resumable': '2.0.0', 'upload-length': '5' } }, 412, 'precondition_failed'],
    [{ ...begin, headers: tus(), key: 'sk_muxi_unknown' }, 401, 'unauthorized'],
    [{ path: `${PATH}/file_gone`, method: 'DELETE', headers: tus() }, 404, 'not_found'],
    [{ path: `${PATH}/gone`, method: 'DELETE', headers: tus() }, 400, 'bad_request'],
    [patch(address, 0, { headers: tus({ 'upload-offset': '0', 'content-type': 'text/plain' }) }), 415, undefined],
    [patch(address, 3), 409, 'conflict'],
    [patch(address, 0, { body: Buffer.from('Hello!') }), 413, 'payload_too_large'],
    [{ ...begin, ...length(12 * MB + 1) }, 413, 'payload_too_large'],
    [{ ...begin, headers: tus() }, 400, 'bad_request'],
    [{ ...begin, headers: tus({ 'upload-defer-length': '1' }) }, 400, 'bad_request'],
    [{ ...begin, ...length(5, { 'upload-metadata': 'filename not-base64!' }) }, 400, 'bad_request'],
    [{ ...begin, ...length(5, { 'upload-metadata': `user_id ${btoa('bert')}` }) }, 403, 'forbidden'],
  ] as const) {
    const { path, ...options } = asked as { path: string; method?: string }
    const answer = await call(path, options)
    expect([answer.status, answer.body.error.code], `${JSON.stringify(asked)} ${answer.text}`).toEqual([
      status,
      code ?? 'unsupported_media_type',
    ])
    expect(answer.headers.get('x-request-id')).toBe(answer.body.error.details.request_id)
    expect(answer.headers.get('tus-resumable')).toBe(options.method === undefined ? null : '1.0.0')
    expect(answer.headers.get('tus-version')).toBe(status === 412 ? '1.0.0' : null)
  }
  const known = await call(PATH, { method: 'OPTIONS' })
  expect([known.status, known.headers.get('tus-extension'), known.headers.get('tus-max-size')]).toEqual([
    204,
    'creation,creation-with-upload,termination,expiration',
    String(12 * MB),
  ])
})
