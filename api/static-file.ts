// Bytes that do not change while the process runs: with an ETag, and compressed once, when they are first asked for.
import { createHash } from 'node:crypto'
import { brotliCompressSync, gzipSync } from 'node:zlib'

/** Smaller ones are sent as they are, in bytes. */
const MIN_COMPRESSED = 1_024

type Encoding = 'br' | 'gzip'
const COMPRESS = { br: brotliCompressSync, gzip: gzipSync }

export class StaticFile {
  readonly #bytes: Buffer
  readonly #headers: Record<string, string>
  readonly #hash: string
  readonly #compressed = new Map<Encoding, Buffer>()

  constructor(bytes: Buffer, headers: Record<string, string>) {
    this.#bytes = bytes
    this.#hash = createHash('sha256').update(bytes).digest('base64url').slice(0, 27)
    this.#headers = { ...headers, vary: 'accept-encoding' }
  }

  /** The whole of it in the best encoding that the client takes, or 304 when the client has it. */
  answer(request: Headers): Response {
    const encoding = this.#bytes.length < MIN_COMPRESSED ? undefined : encodingOf(request.get('accept-encoding'))
    // Each encoding is a representation of its own (RFC 9110, 8.8.3).
    const etag = encoding ? `"${this.#hash}-${encoding}"` : `"${this.#hash}"`
    const headers = { ...this.#headers, etag, ...(encoding && { 'content-encoding': encoding }) }
    if (matches(request.get('if-none-match'), etag)) return new Response(null, { status: 304, headers })
    return new Response(new Uint8Array(encoding ? this.#compress(encoding) : this.#bytes), { headers })
  }

  #compress(encoding: Encoding): Buffer {
    const known = this.#compressed.get(encoding) ?? COMPRESS[encoding](this.#bytes)
    this.#compressed.set(encoding, known)
    return known
  }
}

/** Whether one of the ETags of an `If-None-Match` is this one; `W/` makes no difference there (RFC 9110, 13.1.2). */
export function matches(header: string | null, etag: string): boolean {
  if (header === null) return false
  return header.trim() === '*' || header.split(',').some((each) => each.trim().replace(/^W\//, '') === etag)
}

/** The same of an `If-Match`, where an ETag that is `W/` is never this one (RFC 9110, 13.1.1). */
export function matchesStrongly(header: string, etag: string): boolean {
  return header.trim() === '*' || header.split(',').some((each) => each.trim() === etag)
}

/** Brotli before gzip; neither when its weight is 0. */
function encodingOf(header: string | null): Encoding | undefined {
  const taken = (header ?? '')
    .toLowerCase()
    .split(',')
    .map((each) => each.trim().split(/\s*;\s*q=/))
    .filter(([, weight = '1']) => Number(weight) > 0)
    .map(([name]) => name)
  return taken.includes('br') ? 'br' : taken.includes('gzip') ? 'gzip' : undefined
}
