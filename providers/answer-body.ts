// The chunks of a vendor's answer, whether the server streams it or answers with one JSON document.
import { createParser } from 'eventsource-parser'
import { parseExact } from '../contracts/exact-json.ts'
import { isObject } from '../contracts/json.ts'
import { ReportedError } from './failure.ts'

/** Longest answer that is not streamed, in bytes. */
const MAX_DOCUMENT = 16_777_216
/** The same of a stream, and of what comes before it. */
const MAX_STREAM = 4 * MAX_DOCUMENT
const MAX_BLANK = 1_048_576

/**
 * Media types are often wrong: an event stream never begins with a brace or a bracket.
 * @throws ReportedError of an error that the server reports in place of a chunk
 */
export async function* chunksOf(response: Response, controller: AbortController): AsyncGenerator<unknown> {
  const reader = response.body?.getReader()
  if (!reader) return
  try {
    let head = Buffer.alloc(0)
    while (head.toString('utf8').replace('\ufeff', '').trim() === '') {
      const { done, value } = await reader.read()
      if (done) return
      head = Buffer.concat([head, value])
      if (head.byteLength > MAX_BLANK) throw new Error(`the answer begins with more than ${MAX_BLANK} blank bytes`)
    }
    if (/^[{[]/.test(head.toString('utf8').replace('\ufeff', '').trimStart())) {
      const document = await readDocument(head, reader)
      for (const chunk of [document].flat()) yield throwReported(chunk, response.headers)
      return
    }
    const events: string[] = []
    const parser = createParser({ onEvent: ({ data }) => void events.push(data), maxBufferSize: MAX_DOCUMENT })
    const decoder = new TextDecoder()
    let size = 0
    for (let bytes: Uint8Array | undefined = head; ;) {
      size += bytes?.byteLength ?? 0
      if (size > MAX_STREAM) throw new Error(`the answer is longer than ${MAX_STREAM} bytes`)
      // Some servers end without the blank line that ends an event.
      parser.feed(bytes ? decoder.decode(bytes, { stream: true }) : '\n\n')
      for (const data of events.splice(0)) {
        if (data.startsWith('[DONE]')) return
        // Arguments of tools may come as objects: their numbers keep their digits.
        yield throwReported(parseExact(data), response.headers)
      }
      if (!bytes) return
      ;({ value: bytes } = await reader.read())
    }
  } finally {
    controller.abort()
  }
}

function throwReported(chunk: unknown, headers: Headers): unknown {
  if (isObject(chunk) && chunk['error']) throw new ReportedError(chunk['error'], headers)
  return chunk
}

async function readDocument(head: Buffer, reader: ReadableStreamDefaultReader<Uint8Array>): Promise<unknown> {
  const pieces: Uint8Array[] = [head]
  let size = head.byteLength
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    size += value.byteLength
    if (size > MAX_DOCUMENT) throw new Error(`the answer is longer than ${MAX_DOCUMENT} bytes`)
    pieces.push(value)
  }
  return parseExact(Buffer.concat(pieces).toString('utf8').replace('\ufeff', ''))
}
