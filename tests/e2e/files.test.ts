// Files: taken, listed, read in part, refused early; and kept in S3 by processes that share no folder.
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { holdAfter } from '../support/held-rows.ts'
import { numberedPages, pdf } from '../support/pdf.ts'
import { S3_CREDENTIALS, startS3, type S3Server } from '../support/s3.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

const MB = 2 ** 20

describe('one process', () => {
  let stage: Stage
  let muxi: Muxi
  beforeAll(async () => {
    stage = await openStage({ env: { MUXI_LIMIT_UPLOAD_BYTES: String(8 * MB), MUXI_LIMIT_USER_BYTES: '100000' } })
    muxi = await stage.start('all')
  })
  afterAll(() => stage.close())

  const inline = (name: string, data: string, more: object = {}) =>
    stage.call(muxi.url, '/api/v1/files', { body: { name, data, ...more } })

  it(keeps('files.take', 'in base64 as in a form, one list, parts by Range'), async () => {
    const text = 'The ferry leaves at nine.'
    const taken = await inline('../a/ferry.txt', Buffer.from(text).toString('base64'), { user_id: 'anna' })
    expect(taken.status, taken.text).toBe(201)
    expect(taken.body).toMatchObject({ name: 'ferry.txt', type: 'text/plain', size: text.length })
    for (const [body, path] of [
      [{ name: 'a', data: 'no base64!' }, 'data'],
      [{ name: 'a', data: 'YQ=' }, 'data'],
      [{ name: 'a' }, 'data'],
      [{ name: 'a', data: 'YQ==', more: 1 }, 'more'],
    ] as const) {
      const refused = await stage.call(muxi.url, '/api/v1/files', { body })
      expect(refused.status).toBe(400)
      expect(refused.body.error.details.fields[0].path).toBe(path)
    }
    await inline('second.txt', Buffer.from('Second.').toString('base64'), { user_id: 'anna' })
    const page = await stage.call(muxi.url, '/api/v1/files?user_id=anna&limit=1')
    expect(page.body).toMatchObject({ files: [{ name: 'second.txt' }], has_more: true })
    const rest = await stage.call(muxi.url, `/api/v1/files?user_id=anna&cursor=${page.body.next_cursor}`)
    expect(rest.body).toMatchObject({ files: [{ name: 'ferry.txt' }], has_more: false })

    const part = (range: string) =>
      stage.call(muxi.url, `/api/v1/files/${taken.body.id}/content`, { headers: { range } })
    const some = await part('bytes=4-8')
    expect([some.status, some.text, some.headers.get('content-range')]).toEqual([206, 'ferry', 'bytes 4-8/25'])
    expect((await part('bytes=-5')).text).toBe('nine.')
    expect((await part('bytes=10-')).text).toBe(text.slice(10))
    expect((await part('lines=1-2')).text).toBe(text)
    const outside = await part('bytes=25-')
    expect([outside.status, outside.headers.get('content-range')]).toEqual([416, 'bytes */25'])
    expect(outside.body.error).toMatchObject({ code: 'range_not_satisfiable', message: expect.stringContaining('25') })

    const etag = some.headers.get('etag')!
    const ask = async (headers: Record<string, string>, method = 'GET') => {
      const path = `/api/v1/files/${taken.body.id}/content`
      const answer = await stage.call(muxi.url, path, { method, headers })
      return [answer.status, answer.headers.get('content-length'), answer.text.slice(0, 3)]
    }
    const range = 'bytes=0-2'
    const whole = [200, '25', 'The']
    for (const [headers, expected] of [
      [{ range, 'if-range': etag }, [206, '3', 'The']],
      [{ range, 'if-range': '"other"' }, whole],
      [{ range, 'if-range': `W/${etag}` }, whole],
      [{ range, 'if-range': 'Mon, 30 Nov 2026 06:00:00 GMT' }, whole],
      [{ range: 'bytes=25-', 'if-range': '"other"' }, whole],
      [{ 'if-match': `"other", ${etag}` }, whole],
      [{ 'if-match': '*' }, whole],
    ] as const)
      expect([headers, await ask(headers)]).toEqual([headers, expected])
    for (const wrong of ['"other"', `W/${etag}`, '']) expect((await ask({ 'if-match': wrong }))[0]).toBe(412)
    expect((await ask({ 'if-match': '"other"', 'if-none-match': etag }))[0]).toBe(412)
    expect((await ask({ 'if-match': etag, 'if-none-match': etag }))[0]).toBe(304)
    expect(await ask({ range }, 'HEAD')).toEqual([200, '25', ''])
  })

  it(keeps('files.take', '4 GB are refused before they come, and a file too many says how much there is'), async () => {
    const size = 4 * 1024 * MB
    const sent = await sendSparse(muxi.url, stage.key, size)
    expect(sent.status).toBe(413)
    expect(sent.text).toContain(`at most ${8 * MB} bytes`)
    expect(sent.written).toBeLessThan(80 * MB)
    const chunked = await sendSparse(muxi.url, stage.key, size, { chunked: true })
    expect(chunked.status).toBe(413)
    expect(chunked.written).toBeLessThan(80 * MB)
    const data = Buffer.alloc(60_000).toString('base64')
    expect((await inline('a.bin', data, { user_id: 'ben' })).status).toBe(201)
    const refused = await inline('b.bin', data, { user_id: 'ben' })
    expect(refused.status).toBe(413)
    expect(refused.body.error).toMatchObject({ details: { used_bytes: 60_000, limit_bytes: 100_000 } })
    expect((await inline('b.bin', data, { user_id: 'carl' })).status).toBe(201)
  })
})

describe('in S3', () => {
  let stage: Stage
  let server: S3Server
  beforeAll(async () => {
    server = await startS3()
    stage = await openStage({
      database: 'postgres',
      env: {
        BLOB_URL: await server.createBucket('muxi'),
        AWS_ACCESS_KEY_ID: S3_CREDENTIALS.access_key_id,
        AWS_SECRET_ACCESS_KEY: S3_CREDENTIALS.secret_access_key,
      },
    })
    // The first time on a machine moto has to be got.
  }, 300_000)
  afterAll(async () => {
    await stage.close()
    await server.stop()
  })

  it(keeps('files.s3', 'each with a data folder of its own, and a worker killed in the middle'), async () => {
    const at = (name: string) => ({ env: { MUXI_DATA_DIR: join(stage.folder, name) } })
    const api = await stage.start('api', at('api'))
    const first = await stage.start('worker', at('first'))
    const bytes = pdf(numberedPages(400))
    const file_id = await stage.upload(api.url, 'lighthouses.pdf', bytes)
    const letGo = await holdAfter(stage, 'batches', 3)
    const begun = await stage.call(api.url, '/api/v1/jobs', {
      body: { kind: 'document', file_id, agent_id: 'offline' },
    })
    const stream = await stage.followJob(api.url, begun.body.id)
    await stream.waitFor(({ data }) => data.stage === 'parsing' && data.done === 150)
    await first.kill()
    await letGo()
    const second = await stage.start('worker', at('second'))
    expect((await stream.untilFinal(100_000)).data.result).toMatchObject({ pages: 400 })
    const parses = await stage.rows('select parses from job_batches where batch <= 3')
    expect(parses).toEqual([{ parses: 1 }, { parses: 1 }, { parses: 1 }])
    const found = await stage.call(
      api.url,
      '/api/v1/agents/offline/knowledge/search?query=keeper%20of%20lighthouse%20377',
    )
    expect(found.body.results[0]).toMatchObject({ page: 377 })
    const part = await stage.call(api.url, `/api/v1/files/${file_id}/content`, { headers: { range: 'bytes=0-7' } })
    expect(part.text).toBe(bytes.subarray(0, 8).toString())
    expect((await stage.call(api.url, `/api/v1/files/${file_id}`, { method: 'DELETE' })).status).toBe(200)
    expect((await stage.call(api.url, `/api/v1/files/${file_id}/content`)).status).toBe(404)
    for (const each of [api, first, second]) expect(each.output()).not.toMatch(/PLANTED|planted/)
  })
})

/** Sends zeros as if they were a file, until the server answers or hangs up. */
function sendSparse(
  url: string,
  key: string,
  size: number,
  { chunked = false } = {},
): Promise<{ status: number; text: string; written: number }> {
  const boundary = 'sparse'
  const head = `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="sparse.bin"\r\n\r\n`
  const length = head.length + size + `\r\n--${boundary}--\r\n`.length
  const zeros = Buffer.alloc(MB)
  return new Promise((resolve, reject) => {
    let written = 0
    let answered = false
    const request = httpRequest(`${url}/api/v1/files`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': `multipart/form-data; boundary=${boundary}`,
        ...(!chunked && { 'content-length': length }),
      },
    })
    request.on('response', (response) => {
      answered = true
      let text = ''
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece))
      response.on('end', () => {
        request.destroy()
        resolve({ status: response.statusCode ?? 0, text, written })
      })
    })
    request.on('error', (error) => answered || reject(error))
    request.write(head)
    const more = () => {
      while (!answered && written < size) {
        written += zeros.length
        if (!request.write(zeros)) return request.once('drain', more)
      }
      return undefined
    }
    more()
  })
}
