// Static files: encodings, ETags, conditional requests.
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { StaticFile } from '../../api/static-file.ts'

const bytes = Buffer.from('Assam is a strong black tea. '.repeat(100))
const file = new StaticFile(bytes, { 'content-type': 'text/plain' })
const ask = (headers: Record<string, string> = {}) => file.answer(new Headers(headers))
const body = async (response: Response) => Buffer.from(await response.arrayBuffer())

it.each([
  ['gzip, deflate, br', 'br'],
  ['gzip;q=1.0, br;q=0', 'gzip'],
  ['identity', null],
])('%s gets %s', async (accepted, encoding) => {
  const response = ask({ 'accept-encoding': accepted })
  expect(response.headers.get('content-encoding')).toBe(encoding)
  expect(response.headers.get('vary')).toBe('accept-encoding')
  const sent = await body(response)
  const read = encoding === 'br' ? brotliDecompressSync(sent) : encoding ? gunzipSync(sent) : sent
  expect(read.equals(bytes)).toBe(true)
})

it('is not sent again to a client that has it, in the same encoding', () => {
  const etag = ask().headers.get('etag')!
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*'])
    expect([known, ask({ 'if-none-match': known }).status]).toEqual([known, 304])
  expect(ask({ 'if-none-match': etag, 'accept-encoding': 'br' }).status).toBe(200)
  expect(ask({ 'if-none-match': '"other"' }).status).toBe(200)
})

it('small ones are not compressed', () => {
  const small = new StaticFile(Buffer.from('tea'), {}).answer(new Headers({ 'accept-encoding': 'br' }))
  expect(small.headers.get('content-encoding')).toBe(null)
})
