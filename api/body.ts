// Reading a request body: bounded, strict UTF-8, JSON only.
import { MuxiError } from '../contracts/failures.ts'
import { JsonReader } from './json.ts'

/** Bytes of a refused body that are read before the connection is dropped. */
const MAX_DRAINED = 64 * 2 ** 20

/** The JSON value of a request's body; undefined when it has none. @throws MuxiError payload_too_large, unsupported_media_type, bad_request */
export async function readJsonBody(request: Request, limit: number, maxValues?: number): Promise<unknown> {
  if (
    request.headers.get('content-length') === '0' ||
    !(request.headers.has('content-length') || request.headers.has('transfer-encoding'))
  ) {
    return undefined
  }
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json' && !type?.endsWith('+json')) {
    void drain(request.body)
    throw new MuxiError('unsupported_media_type', "Cannot read the request: 'Content-Type' must be application/json")
  }
  const encoding = request.headers.get('content-encoding')?.trim().toLowerCase() ?? ''
  if (!/^(identity)?$/.test(encoding)) {
    void drain(request.body)
    throw new MuxiError('unsupported_media_type', "Cannot read the request: 'Content-Encoding' must be left out")
  }
  const json = new JsonReader('read the request: its body', maxValues)
  try {
    await eachChunk(request, limit, (chunk) => json.take(chunk))
  } catch (error) {
    void drain(request.body)
    throw error
  }
  return json.end()
}

async function eachChunk(request: Request, limit: number, take: (chunk: Uint8Array) => void): Promise<void> {
  const tooLarge = new MuxiError(
    'payload_too_large',
    `Cannot take the request: its body must be at most ${limit} bytes`,
  )
  if (Number(request.headers.get('content-length') ?? 0) > limit) throw tooLarge
  if (!request.body) return
  let size = 0
  const reader = request.body.getReader()
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      size += part.value.byteLength
      if (size > limit) throw tooLarge
      take(part.value)
    }
  } finally {
    reader.releaseLock()
  }
}

/** Discards the rest of the body: otherwise the client does not get the error, and the connection's next request no response. */
export async function drain(body: ReadableStream<Uint8Array> | null): Promise<void> {
  let size = 0
  try {
    for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
      size += chunk.byteLength
      if (size > MAX_DRAINED) return
    }
  } catch {
    // The client disconnected.
  }
}
