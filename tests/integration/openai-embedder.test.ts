// Embeddings asked of a server that speaks OpenAI's, right answers and wrong ones.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createEmbedder } from '../../providers/create-embedder.ts'

interface Asked {
  model: string
  input: string[]
  dimensions?: number
  encoding_format: string
}

/** A server of embeddings. @param answer status and body for a request */
async function serve(answer: (asked: Asked) => [number, unknown]): Promise<{ base_url: string; requests: Asked[] }> {
  const requests: Asked[] = []
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const asked = JSON.parse(Buffer.concat(parts).toString()) as Asked
      requests.push(asked)
      const [status, body] = answer(asked)
      response.writeHead(status, { 'content-type': 'application/json', 'retry-after': '2' }).end(JSON.stringify(body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { base_url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, requests }
}
const { signal } = new AbortController()
const open = (base_url: string, choice = 'openai:small@2') =>
  createEmbedder({ openai: { base_url, api_key: 'sk-secret' } }, choice)

test('texts are embedded in batches, and their vectors are returned in order with length 1', async () => {
  const { base_url, requests } = await serve(({ input }) => [
    200,
    { data: input.map((text, index) => ({ index, embedding: [Number(text), 1] })).toReversed() },
  ])
  const vectors = await open(base_url).embed(
    Array.from({ length: 150 }, (_, index) => String(index)),
    signal,
  )
  expect(requests.map(({ input }) => input.length)).toEqual([64, 64, 22])
  expect(requests[0]).toMatchObject({ model: 'small', encoding_format: 'float' })
  expect(requests[0]).not.toHaveProperty('dimensions')
  expect(vectors.map((vector) => Math.round(vector[0]! / vector[1]!))).toEqual([...vectors.keys()])
  for (const vector of vectors) expect(Math.hypot(...vector)).toBeCloseTo(1, 5)
})

test('a text without words is not sent empty, which vendors refuse', async () => {
  const { base_url, requests } = await serve(({ input }) => [
    200,
    { data: input.map((_, index) => ({ index, embedding: [1, 1] })) },
  ])
  expect(await open(base_url).embed(['', ' \n', 'tea'], signal)).toHaveLength(3)
  expect(requests[0]!.input).toEqual(['-', '-', 'tea'])
})

test('a model that can be shortened is asked for the dimension', async () => {
  const { base_url, requests } = await serve(({ dimensions }) => [
    200,
    { data: [{ index: 0, embedding: Array.from({ length: dimensions ?? 1_536 }, () => 1) }] },
  ])
  const [vector] = await open(base_url, 'openai:text-embedding-3-small').embed(['x'], signal)
  expect(vector!.length).toBe(384)
  expect(requests[0]!.dimensions).toBe(384)
})

test.each([
  [200, { data: [{ index: 0, embedding: [1, 2, 3] }] }, { kind: 'final', message: /3 dimensions; 2 are configured/ }],
  [200, { data: [] }, { kind: 'retry', message: /left out/ }],
  [429, { error: { message: 'slow down' } }, { kind: 'retry', status: 429, retryAfter: 2_000, message: /slow down/ }],
  [
    401,
    { error: { message: 'wrong key sk-secret' } },
    { kind: 'final', status: 401, message: /wrong key \[redacted\]/ },
  ],
  [500, {}, { kind: 'retry', status: 500, message: /500/ }],
])('an answer of %i %j is a ProviderFailure', async (status, body, { message, ...failure }) => {
  const { base_url, requests } = await serve(() => [status, body])
  const error = await open(base_url)
    .embed(['x'], signal)
    .catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ name: 'ProviderFailure', ...failure })
  expect((error as Error).message).toMatch(message)
  expect(requests.length).toBe(1)
})

test('an abort is thrown as itself', async () => {
  const controller = new AbortController()
  const { base_url } = await serve(() => {
    controller.abort(new Error('stop'))
    return [200, { data: [] }]
  })
  await expect(open(base_url).embed(['x'], controller.signal)).rejects.toThrow('stop')
})
