// Forms of multipart/form-data (RFC 7578), parsed by @fastify/busboy: small fields in memory, the file as a stream that is
// never fully buffered.
import { Busboy, type BusboyFileStream, type BusboyInstance } from '@fastify/busboy'
import { MuxiError, wrongField } from '../contracts/failures.ts'

/** Longest header of a part, and longest value of a field that is not a file, in bytes. */
const MAX_HEADER = 16_384
const MAX_FIELD = 4_096
const MAX_PARTS = 32

export interface FilePart {
  /** The client's file name, without folders. */
  name: string
}

export interface Form<T> {
  fields: Record<string, string>
  file: { part: FilePart; value: T }
}

/**
 * Reads the one file, named `file`, and the fields of a form.
 * @param take consumes the file's bytes; its return value is part of the result. It is called once.
 * @param limit most bytes of the file
 * @param known the fields that are read: others are left out, also when they are repeated or long; undefined: all are read
 * @throws MuxiError bad_request, unsupported_media_type, payload_too_large
 */
export async function readForm<T>(
  { headers, body }: Pick<Request, 'headers' | 'body'>,
  limit: number,
  take: (bytes: AsyncIterable<Uint8Array>, part: FilePart) => Promise<T>,
  known?: readonly string[],
): Promise<Form<T>> {
  const boundary = boundaryOf(headers.get('content-type'))
  const mostBytes = limit + MAX_PARTS * (MAX_HEADER + MAX_FIELD)
  if (Number(headers.get('content-length') ?? 0) > mostBytes) throw tooLarge(limit)
  const parser = new FormParser(boundary, (stream, part) => take(bounded(stream, limit), part), known)
  try {
    let bytes = 0
    // The rest of a refused body is read by the server, before its client can read the answer.
    for await (const chunk of body?.values({ preventCancel: true }) ?? []) {
      bytes += chunk.byteLength
      if (bytes > mostBytes) throw tooLarge(limit)
      await parser.write(chunk)
    }
    return await parser.end()
  } catch (error) {
    await parser.destroy(error as Error)
    throw error
  }
}

/** Busboy's events as promises; of several faults the first one is thrown. */
class FormParser<T> {
  readonly #busboy: BusboyInstance
  readonly #take: (stream: BusboyFileStream, part: FilePart) => Promise<T>
  readonly #known: readonly string[] | undefined
  readonly #fields: Record<string, string> = {}
  #file: { part: FilePart; stream: BusboyFileStream; taken: Promise<T> } | undefined
  #fault: { error: unknown } | undefined
  /** Ends the wait of the pending call. */
  #wake: () => void = () => {}

  constructor(
    boundary: string,
    take: (stream: BusboyFileStream, part: FilePart) => Promise<T>,
    known: readonly string[] | undefined,
  ) {
    this.#take = take
    this.#known = known
    this.#busboy = new Busboy({
      headers: { 'content-type': `multipart/form-data; boundary="${boundary}"` },
      limits: { fieldSize: MAX_FIELD, headerSize: MAX_HEADER, parts: MAX_PARTS },
      preservePath: true,
      isPartAFile: (field, _type, filename) => field === 'file' && filename !== undefined,
    })
    this.#busboy.on('field', (name, value, _, truncated) => this.#takeField(name, value, truncated))
    this.#busboy.on('file', (_, stream, filename) => this.#takeFile(stream, filename))
    this.#busboy.on('partsLimit', () => this.#fail(malformed(`it has more than ${MAX_PARTS} parts`)))
    this.#busboy.on('error', (cause) => this.#fail(malformed('it ends in the middle of a part', cause)))
  }

  /** Resolves when the file's consumer is ready for more. */
  write(chunk: Uint8Array): Promise<void> {
    return this.#until((done) => this.#busboy.write(chunk, done))
  }

  async end(): Promise<Form<T>> {
    await this.#until((done) => this.#busboy.once('finish', done).end())
    if (!this.#file) throw wrongField('read the form', 'file', 'given')
    const { part, taken } = this.#file
    return { fields: this.#fields, file: { part, value: await taken } }
  }

  /** Resolves when the file's consumer has failed with the reason. */
  async destroy(reason: Error): Promise<void> {
    this.#fault ??= { error: reason }
    this.#busboy.destroy()
    this.#file?.stream.destroy(reason)
    await this.#file?.taken.catch(() => undefined)
  }

  async #until(start: (done: () => void) => void): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      start(resolve)
      if (this.#fault) resolve()
    })
    if (this.#fault) throw this.#fault.error
  }

  #fail(error: unknown): void {
    this.#fault ??= { error }
    this.#wake()
  }

  #takeField(name: string | undefined, value: string, truncated: boolean): void {
    if (name === undefined) return this.#fail(malformed('a part has no name'))
    if (name === 'file') return this.#fail(wrongField('read the form', 'file', 'a file, with a file name'))
    if (this.#known?.includes(name) === false) return
    if (Object.hasOwn(this.#fields, name)) return this.#fail(wrongField('read the form', name, 'given once'))
    if (truncated) return this.#fail(malformed(`a field is longer than ${MAX_FIELD} bytes`))
    if (!isText(name) || !isText(value)) return this.#fail(notUtf8())
    this.#fields[name] = value
  }

  #takeFile(stream: BusboyFileStream, filename: string): void {
    // Its errors are those of the form, and may come before the consumer listens.
    stream.on('error', () => {})
    if (this.#file || !isText(filename)) {
      stream.resume()
      return this.#fail(this.#file ? wrongField('read the form', 'file', 'given once') : notUtf8())
    }
    const part = { name: plainName(fromBrowser(filename)) }
    const taken = this.#take(stream, part)
    this.#file = { part, stream, taken }
    taken.then(
      () => stream.resume(),
      (error: unknown) => this.#fail(error),
    )
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

/** Busboy writes bytes that are not UTF-8 as U+FFFD. */
function isText(text: string): boolean {
  return !text.includes('\uFFFD')
}

/** Browsers escape quotes and line breaks in file names. */
function fromBrowser(filename: string): string {
  return filename.replaceAll('%22', '"').replaceAll(/%0D|%0A/gi, ' ')
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

/** Longest file name, in UTF-16 code units. */
const MAX_NAME = 255
/** By it a program knows what a file is: `.csv`, `.tar.gz`. */
const EXTENSION = /(\.\w{1,16}){1,2}$/

/** Without folders and control characters. A long name is cut before its extension, and never within a character. */
export function plainName(filename: string): string {
  const base = filename.toWellFormed().split(/[/\\]/).at(-1) ?? ''
  // oxlint-disable-next-line no-control-regex -- that is what is taken out
  const clean = base.replaceAll(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '').trim()
  if (/^\.{0,2}$/.test(clean)) return 'unnamed'
  if (clean.length <= MAX_NAME) return clean
  const extension = EXTENSION.exec(clean)?.[0] ?? ''
  const cut = clean.slice(0, MAX_NAME - extension.length).replace(/[\uD800-\uDBFF]$/, '')
  return `${cut.trimEnd()}${extension}`
}

function malformed(why: string, cause?: unknown): MuxiError {
  return new MuxiError('bad_request', `Cannot read the form: ${why}`, { cause })
}

function notUtf8(): MuxiError {
  return malformed('its names and fields must be UTF-8')
}

function tooLarge(limit: number): MuxiError {
  return new MuxiError('payload_too_large', `Cannot take the file: it must be at most ${limit} bytes`)
}
