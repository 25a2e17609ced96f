// Uploads: a form when small, else the resumable protocol tus 1.0; nothing large is held in memory.
import { delayOf, LONGEST_PAUSE_MS, LONGEST_TIMER_MS, sleep, SLOWEST_UPLOAD } from '../backoff.ts'
import { MuxiError, TimeoutError } from '../errors.ts'
import { type CallOptions, type Http, newKey } from '../http.ts'
import { FollowedJob } from '../jobs/job.ts'
import { TUS } from '../operations.ts'
import { type FileSource, openFile } from './read-file.ts'
import { StreamSource } from './stream-source.ts'
import type { Job, StoredFile, Transcription, TranscriptionOptions, UploadState } from '../types.ts'

/** A path (Node and Deno), a Blob, bytes, or a stream. */
export type FileInput = string | Blob | Uint8Array<ArrayBuffer> | ArrayBuffer | ReadableStream<Uint8Array<ArrayBuffer>>

export interface UploadOptions extends CallOptions {
  /** What the file is called. Default: that of the path or of the `File`. */
  name?: string | undefined
  userId?: string | undefined
  /** Of a stream, in bytes. A large stream whose size is not known cannot be tried again. */
  size?: number | undefined
  onProgress?: ((progress: UploadProgress) => void) | undefined
  /** Goes on with a large upload that broke off: `details.upload_id` of its error. */
  uploadId?: string | undefined
}

export interface UploadProgress {
  /** Bytes that the server has. */
  sent: number
  total: number | undefined
  /** Of a large upload. */
  uploadId?: string | undefined
}

const MB = 2 ** 20
/** Larger files are sent in pieces of this size. */
const PIECE = 8 * MB
/** After a failure the pieces are halved, down to this: a slow connection gets them through in time. */
const SMALLEST_PIECE = MB
/** For a piece, until its answer. */
const PIECE_MS = 120_000
/** Attempts in a row that bring nothing. */
const ATTEMPTS = 10

/** Stores a file. The same call never makes two, however often its connection breaks. */
export async function upload(
  http: Http,
  input: FileInput | FileSource,
  options: UploadOptions = {},
): Promise<StoredFile> {
  const { size } = options
  if (input instanceof ReadableStream && size === undefined) return uploadStream(http, input, options)
  const source = await sourceOf(input, size)
  const name = options.name ?? source.name ?? 'file'
  try {
    if (source.size > PIECE || options.uploadId !== undefined)
      return await uploadPieces(http, source, { ...options, name })
    const blob = new Blob([await source.slice(0, source.size)], { type: source.type ?? '' })
    return await uploadForm(http, blob, { ...options, name })
  } finally {
    await source.close?.()
  }
}

/** @param size of a stream */
export async function sourceOf(input: FileInput | FileSource, size = 0): Promise<FileSource> {
  if (typeof input === 'string') return openFile(input)
  if (input instanceof ReadableStream) return new StreamSource(input, size)
  return 'slice' in input && 'size' in input ? input : new Blob([input])
}

async function uploadForm(http: Http, blob: Blob, options: UploadOptions): Promise<StoredFile> {
  const { name, userId, onProgress, idempotencyKey = newKey(), size: _, ...call } = options
  const form = new FormData()
  // Fields first: the server reads the form as a stream.
  if (userId !== undefined) form.set('user_id', userId)
  form.set('file', blob, name)
  const file = await http.json<StoredFile>('POST', '/files', { ...call, form, idempotencyKey })
  onProgress?.({ sent: blob.size, total: blob.size })
  return file
}

async function uploadPieces(http: Http, source: FileSource, options: UploadOptions): Promise<StoredFile> {
  const { name = '', userId, onProgress, signal, headers, timeoutMs } = options
  const call = { signal, timeoutMs }
  let piece = PIECE
  const total = source.size
  const uploadId = options.uploadId ?? (await begin())
  const path = `/files/uploads/${uploadId}`
  const begun: Begun = options.uploadId === undefined ? { offset: 0 } : {}
  let { offset } = begun
  for (let attempt = 0; ;) {
    try {
      if (offset === undefined) {
        const state = await http.json<UploadState>('GET', path, { ...call, headers })
        if (state.size !== total)
          throw new TypeError(`Cannot go on with the upload: the file has ${total} bytes, and had ${state.size}`)
        if (state.status === 'completed') return state.file
        offset = state.offset
      }
      const end = Math.min(offset + piece, total)
      const body = await source.slice(offset, end)
      const response = await http.send('PATCH', path, {
        signal,
        timeoutMs: timeoutMs ?? PIECE_MS,
        body,
        headers: {
          ...headers,
          ...TUS,
          'content-type': 'application/offset+octet-stream',
          'upload-offset': String(offset),
        },
      })
      offset = Number(response.headers.get('upload-offset'))
      attempt = 0
      onProgress?.({ sent: offset, total, uploadId })
      // How it ended is asked for: the answer that names the file may have been lost.
      if (offset >= total) offset = undefined
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof MuxiError)) throw error
      const { status, retryAfterMs } = error
      const isPassing = status < 400 || [408, 409, 429].includes(status) || status >= 500
      if (!isPassing || (retryAfterMs ?? 0) > LONGEST_PAUSE_MS || ++attempt > ATTEMPTS)
        throw Object.assign(error, { details: { ...error.details, upload_id: uploadId } })
      await sleep(delayOf(attempt - 1, retryAfterMs), signal)
      piece = Math.max(SMALLEST_PIECE, piece / 2)
      offset = undefined
    }
  }

  async function begin(): Promise<string> {
    const metadata = [
      ['filename', name],
      ['user_id', userId],
    ].flatMap(([key, value]) => (value === undefined ? [] : [`${key} ${base64(value)}`]))
    const response = await http.send('POST', '/files/uploads', {
      ...call,
      // An upload that is begun twice costs nothing: the first one expires.
      idempotencyKey: newKey(),
      headers: { ...headers, ...TUS, 'upload-length': String(total), 'upload-metadata': metadata.join(',') },
    })
    return response.headers.get('location')!.split('/').at(-1)!
  }
}

interface Begun {
  offset?: number
}

/** @returns base64 of the UTF-8 bytes */
function base64(text: string | undefined): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)))
}

/** Small streams are read first; a large one is sent as it comes. */
async function uploadStream(
  http: Http,
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  options: UploadOptions,
): Promise<StoredFile> {
  const reader = stream.getReader()
  const pieces: Uint8Array<ArrayBuffer>[] = []
  let size = 0
  let isOver = false
  while (!isOver && size <= PIECE) {
    const { value, done } = await reader.read()
    isOver = done
    if (!value) continue
    pieces.push(value)
    size += value.length
  }
  if (isOver) return uploadForm(http, new Blob(pieces), { name: 'file', ...options })
  const { name = 'file', userId, onProgress, size: _, uploadId: _id, ...call } = options
  const boundary = newKey()
  const part = (field: string) => `--${boundary}\r\ncontent-disposition: form-data; name="${field}"`
  const quoted = name.replaceAll(/["\r\n]/g, (found) => encodeURIComponent(found))
  const before = `${userId === undefined ? '' : `${part('user_id')}\r\n\r\n${userId}\r\n`}${part('file')}; filename="${quoted}"\r\n\r\n`
  const text = new TextEncoder()
  let sent = 0
  const { timeoutMs = http.options.timeoutMs } = call
  const idle = new AbortController()
  const late = () => idle.abort(new TimeoutError(`POST /files: no progress within ${timeoutMs} ms`))
  let timer = setTimeout(late, timeoutMs)
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      controller.enqueue(text.encode(before))
    },
    async pull(controller) {
      clearTimeout(timer)
      const piece = pieces.shift() ?? (await reader.read()).value
      timer = setTimeout(late, timeoutMs)
      if (piece) {
        controller.enqueue(piece)
        sent += piece.length
        onProgress?.({ sent, total: undefined })
      } else {
        controller.enqueue(text.encode(`\r\n--${boundary}--\r\n`))
        controller.close()
      }
    },
    cancel: (reason) => reader.cancel(reason),
  })
  const headers = { ...call.headers, 'content-type': `multipart/form-data; boundary=${boundary}` }
  const signal = call.signal ? AbortSignal.any([call.signal, idle.signal]) : idle.signal
  const init = { ...call, signal, timeoutMs: LONGEST_TIMER_MS, maxRetries: 0, headers, body }
  return http.json<StoredFile>('POST', '/files', init).finally(() => clearTimeout(timer))
}

/** Sends a recording, and waits for its text. A large one whose text is enough is uploaded in pieces. */
export async function transcribe(
  http: Http,
  input: FileInput,
  fields: TranscriptionOptions = {},
  { name, size, ...call }: UploadOptions = {},
): Promise<Transcription | string> {
  const isUnknown = input instanceof ReadableStream && size === undefined
  const source: FileSource = isUnknown ? await new Response(input).blob() : await sourceOf(input, size)
  const { language, denoise, user_id: userId, response_format = 'json' } = fields
  try {
    if (source.size > PIECE && TEXTUAL.includes(response_format)) {
      const { id: file_id } = await upload(http, source, { ...call, userId, name: name ?? source.name ?? 'audio' })
      const options = { ...(language !== undefined && { language }), ...(denoise === 'true' && { denoise: true }) }
      const json = { kind: 'audio', file_id, options }
      const { id } = await http.json<Job>('POST', '/jobs', { ...call, json, idempotencyKey: newKey() })
      return await transcriptOf(http, id, response_format, call)
    }
    const form = new FormData()
    for (const [field, value] of Object.entries(fields)) if (value !== undefined) form.set(field, value as string)
    const blob = source instanceof Blob ? source : new Blob([await source.slice(0, source.size)])
    form.set('file', blob, name ?? source.name ?? 'audio')
    const timeoutMs = call.timeoutMs ?? http.options.timeoutMs + blob.size / SLOWEST_UPLOAD
    const { data, response } = await http
      .json<Transcription | Job>('POST', '/audio/transcriptions', { ...call, timeoutMs, form })
      .withResponse()
    if (response.status === 200) return data as Transcription
    return await transcriptOf(http, (data as Job).id, response_format, call)
  } finally {
    await source.close?.()
  }
}

/** Forms of a transcript that the text of a job is enough for. */
const TEXTUAL = ['json', 'text']

async function transcriptOf(
  http: Http,
  id: string,
  format: string,
  { signal, headers }: CallOptions,
): Promise<Transcription | string> {
  if (!TEXTUAL.includes(format)) {
    const message = `Cannot get the transcript as '${format}': it takes longer than the server waits; the job has its text`
    throw new TimeoutError(message, { details: { job_id: id } })
  }
  await new FollowedJob(http, id, { signal }).result()
  const text = await http.json<string>('GET', `/jobs/${id}/text`, { signal, headers, query: { format: 'txt' } })
  return format === 'text' ? text : { text, job_id: id }
}
