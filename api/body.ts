// Reading a request body: bounded, strict UTF-8, JSON only; and the rest of one that is refused.
import { MuxiError } from '../contracts/failures.ts'
import { JsonReader, type JsonReading } from './json.ts'

/** What is read of a refused body before its connection is closed: bytes, and milliseconds. */
const MAX_DRAINED = 64 * 2 ** 20
const DRAIN_MS = 30_000

/** The JSON value of a request's body; undefined when it has none. @throws MuxiError payload_too_large, unsupported_media_type, bad_request */
export async function readJsonBody(request: Request, limit: number, reading: JsonReading = {}): Promise<unknown> {
  if (
    request.headers.get('content-length') === '0' ||
    !(request.headers.has('content-length') || request.headers.has('transfer-encoding'))
  ) {
    return undefined
  }
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json' && !type?.endsWith('+json')) {
    throw new MuxiError('unsupported_media_type', "Cannot read the request: 'Content-Type' must be application/json")
  }
  const encoding = request.headers.get('content-encoding')?.trim().toLowerCase() ?? ''
  if (!/^(identity)?$/.test(encoding))
    throw new MuxiError('unsupported_media_type', "Cannot read the request: 'Content-Encoding' must be left out")
  const json = new JsonReader('read the request: its body', reading)
  await eachChunk(request, limit, (chunk) => json.take(chunk))
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

/**
 * Discards what was not read of a refused body: many clients read no answer before all is sent. @returns false when
 * there is still more; a body that another reader has is left to it
 */
export async function drain(body: ReadableStream<Uint8Array> | null): Promise<boolean> {
  if (!body || body.locked) return true
  const reader = body.getReader()
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    void reader.cancel().catch(() => undefined)
  }, DRAIN_MS)
  try {
    let size = 0
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      size += part.value.byteLength
      if (size > MAX_DRAINED) return false
    }
    return !isLate
  } catch {
    // The client disconnected.
    return false
  } finally {
    clearTimeout(timer)
    reader.releaseLock()
  }
}
