// The chunks of an answer, whether the server streams it or answers with one JSON document.
import { Stream } from 'openai/core/streaming'
import { parseExact } from '../contracts/exact-json.ts'
import type { Chunk } from './openai-reader.ts'

/** Longest answer that is not streamed, in bytes. */
const MAX_DOCUMENT = 16_777_216

/** Media types are often wrong: an event stream never begins with a brace. */
export async function* chunksOf(response: Response, controller: AbortController): AsyncGenerator<Chunk> {
  const reader = response.body?.getReader()
  if (!reader) return
  try {
    let head = Buffer.alloc(0)
    while (head.toString('utf8').replace('\ufeff', '').trim() === '') {
      const { done, value } = await reader.read()
      if (done) return
      head = Buffer.concat([head, value])
    }
    if (head.toString('utf8').replace('\ufeff', '').trimStart().startsWith('{')) {
      yield await readDocument(head, reader)
      return
    }
    const body = new ReadableStream<Uint8Array>({
      start: (queue) => queue.enqueue(head),
      pull: async (queue) => {
        const { done, value } = await reader.read()
        if (done) queue.close()
        else queue.enqueue(value)
      },
      cancel: (reason) => reader.cancel(reason),
    })
    yield* Stream.fromSSEResponse<Chunk>(new Response(body, { headers: response.headers }), controller)
  } finally {
    controller.abort()
  }
}

async function readDocument(head: Buffer, reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Chunk> {
  const pieces: Uint8Array[] = [head]
  let size = head.byteLength
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    size += value.byteLength
    if (size > MAX_DOCUMENT) throw new Error(`the answer is longer than ${MAX_DOCUMENT} bytes`)
    pieces.push(value)
  }
  return parseExact(Buffer.concat(pieces).toString('utf8').replace('\ufeff', '')) as Chunk
}
