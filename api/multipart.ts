// Streaming parser of multipart/form-data (RFC 7578): small fields in memory, the file as a stream that is never fully buffered.
import { MuxiError, wrongField } from '../contracts/failures.ts'

/** Longest header of a part, and longest value of a field that is not a file, in bytes. */
const MAX_HEADER = 16_384
const MAX_FIELD = 4_096
const MAX_PARTS = 32

export interface FilePart {
  /** The client's file name, without folders. */
  name: string
  /** The client's content type. */
  type: string
}

export interface Form<T> {
  fields: Record<string, string>
  file: { part: FilePart; value: T }
}

/**
 * Reads the one file, named `file`, and the fields of a form.
 * @param take consumes the file's bytes; its return value is part of the result. It is called once.
 * @param limit most bytes of the file
 * @throws MuxiError bad_request, unsupported_media_type, payload_too_large
 */
export async function readForm<T>(
  { headers, body }: Pick<Request, 'headers' | 'body'>,
  limit: number,
  take: (bytes: AsyncIterable<Uint8Array>, part: FilePart) => Promise<T>,
): Promise<Form<T>> {
  const boundary = boundaryOf(headers.get('content-type'))
  const declared = Number(headers.get('content-length') ?? 0)
  if (declared > limit + MAX_PARTS * (MAX_HEADER + MAX_FIELD)) throw tooLarge(limit)
  const reader = new Reader((body ?? []) as AsyncIterable<Uint8Array>)
  const fields: Record<string, string> = {}
  let file: Form<T>['file'] | undefined
  // The first boundary has no line break before it; one is inserted, so that all are alike.
  reader.unshift(Buffer.from('\r\n'))
  const delimiter = Buffer.from(`\r\n--${boundary}`)
  for await (const _preamble of reader.until(delimiter, MAX_HEADER)) void _preamble
  for (let parts = 0; !(await reader.isLast()); parts += 1) {
    if (parts >= MAX_PARTS) throw malformed(`it has more than ${MAX_PARTS} parts`)
    const { name, filename, type } = readHeader(await text(reader.until(Buffer.from('\r\n\r\n'), MAX_HEADER)))
    if (name === 'file' && filename !== undefined) {
      if (file) throw wrongField('read the form', 'file', 'given once')
      const part = { name: plainName(filename), type }
      file = { part, value: await take(bounded(reader.until(delimiter), limit), part) }
    } else {
      if (name === 'file') throw wrongField('read the form', 'file', 'a file, with a file name')
      if (Object.hasOwn(fields, name)) throw wrongField('read the form', name, 'given once')
      fields[name] = await text(reader.until(delimiter, MAX_FIELD))
    }
  }
  if (!file) throw wrongField('read the form', 'file', 'given')
  return { fields, file }
}

/** Splits chunks at delimiters. */
class Reader {
  readonly #source: AsyncIterator<Uint8Array>
  #rest: Buffer = Buffer.alloc(0)
  #ended = false

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  unshift(bytes: Buffer): void {
    this.#rest = Buffer.concat([bytes, this.#rest])
  }

  /** Yields the bytes before the delimiter and consumes the delimiter. @param most bytes after which it fails */
  async *until(delimiter: Buffer, most = Infinity): AsyncGenerator<Uint8Array> {
    let seen = 0
    for (;;) {
      const at = this.#rest.indexOf(delimiter)
      // Without a match, the end may be a partial delimiter.
      const certain = at >= 0 ? at : Math.max(0, this.#rest.length - delimiter.length + 1)
      seen += certain
      if (seen > most) throw malformed(`a header or field is longer than ${most} bytes`)
      const piece = this.#rest.subarray(0, certain)
      this.#rest = this.#rest.subarray(at >= 0 ? at + delimiter.length : certain)
      if (piece.length > 0) yield piece
      if (at >= 0) return
      if (!(await this.#pull())) throw malformed('it ends in the middle of a part')
    }
  }

  /** After a delimiter: `--` for the last one, otherwise a line break, which is consumed. */
  async isLast(): Promise<boolean> {
    while (this.#rest.length < 2) if (!(await this.#pull())) throw malformed('it ends after a boundary')
    const next = this.#rest.toString('latin1', 0, 2)
    if (next === '--') return true
    for await (const padding of this.until(Buffer.from('\r\n'), MAX_HEADER)) {
      if (!/^[ \t]*$/.test(Buffer.from(padding).toString('latin1')))
        throw malformed('a boundary is not followed by a line break')
    }
    return false
  }

  async #pull(): Promise<boolean> {
    if (this.#ended) return false
    const { done, value } = await this.#source.next()
    if (done) this.#ended = true
    else
      this.#rest =
        this.#rest.length === 0
          ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
          : Buffer.concat([this.#rest, value])
    return !done
  }
}

async function* bounded(bytes: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<Uint8Array> {
  let size = 0
  for await (const chunk of bytes) {
    size += chunk.byteLength
    if (size > limit) throw tooLarge(limit)
    yield chunk
  }
}

async function text(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of bytes) chunks.push(chunk)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch (cause) {
    throw new MuxiError('bad_request', 'Cannot read the form: its names and fields must be UTF-8', { cause })
  }
}

function boundaryOf(contentType: string | null): string {
  const [, quoted, plain] =
    /^multipart\/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType ?? '') ?? []
  const boundary = quoted ?? plain
  if (boundary === undefined || boundary.length > 70) {
    throw new MuxiError(
      'unsupported_media_type',
      "Cannot read the request: 'Content-Type' must be multipart/form-data with a boundary",
    )
  }
  return boundary
}

function readHeader(header: string): { name: string; filename: string | undefined; type: string } {
  let name: string | undefined
  let filename: string | undefined
  let type = 'application/octet-stream'
  for (const line of header.split('\r\n')) {
    const [, key = '', value = ''] = /^([^:]+):\s*(.*)$/.exec(line) ?? []
    if (key.toLowerCase() === 'content-disposition') {
      name = parameterOf(value, 'name')
      filename = extendedName(value) ?? parameterOf(value, 'filename')
    } else if (key.toLowerCase() === 'content-type' && /^[\w.+-]+\/[\w.+-]+(\s*;.*)?$/.test(value))
      type = value.slice(0, 128)
  }
  if (name === undefined) throw malformed('a part has no name')
  return { name, filename, type }
}

/** `filename="a \"b\".txt"`, with quotes and line breaks as browsers write them. */
function parameterOf(value: string, parameter: string): string | undefined {
  const [, quoted, plain] =
    new RegExp(`;\\s*${parameter}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^;\\s]+))`, 'i').exec(value) ?? []
  const found = quoted?.replaceAll(/\\(["\\])/g, '$1') ?? plain
  return found?.replaceAll('%22', '"').replaceAll(/%0D|%0A/gi, ' ')
}

function extendedName(value: string): string | undefined {
  const encoded = /;\s*filename\*=UTF-8''([^;\s]+)/i.exec(value)?.[1]
  try {
    return encoded === undefined ? undefined : decodeURIComponent(encoded)
  } catch {
    return undefined
  }
}

/** Without folders and control characters. */
export function plainName(filename: string): string {
  const base = filename.split(/[/\\]/).at(-1) ?? ''
  // oxlint-disable-next-line no-control-regex -- that is what is taken out
  const clean = base.replaceAll(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '').trim()
  return clean.slice(0, 255) || 'unnamed'
}

function malformed(why: string): MuxiError {
  return new MuxiError('bad_request', `Cannot read the form: ${why}`)
}

function tooLarge(limit: number): MuxiError {
  return new MuxiError('payload_too_large', `Cannot take the file: it must be at most ${limit} bytes`)
}
