// What goes with a message: small things travel in it, large ones are uploaded first and sent by their ids.
import type { CallOptions, Http } from '../http.ts'
import type { Attachment } from '../types.ts'
import { type FileInput, sourceOf, upload } from './uploads.ts'

/** A path (Node and Deno), a file, bytes or a stream, or the id of an uploaded file. */
export type Attached = FileInput | { file_id: string }

/** What a message may bring along; the server finds out what each is from its bytes. */
export interface Attachments {
  images?: readonly Attached[] | undefined
  audio?: readonly Attached[] | undefined
  files?: readonly Attached[] | undefined
  /** As on the wire. */
  attachments?: readonly Attachment[] | undefined
}

export interface AttachOptions extends Pick<CallOptions, 'signal' | 'headers'> {
  /** The user of the message; uploaded files become theirs. */
  userId?: string | undefined
  /** Of the message. Files up to 8 MB get keys made of it, so that it may be sent again; larger ones are new each time. */
  idempotencyKey?: string | undefined
}

/** Bytes from which a file is uploaded first. */
const INLINE_BYTES = 2 ** 18
/** Bytes that are encoded at once; a multiple of three. */
const ENCODED_BYTES = 3 * 2 ** 13
/** Characters of a key that others are made of. */
const LONGEST_KEY = 240
const type = 'application/octet-stream'

/** The attachments as a request has them. */
export async function attachmentsOf(
  http: Http,
  { images = [], audio = [], files = [], attachments = [] }: Attachments,
  options: AttachOptions = {},
): Promise<Attachment[]> {
  const read: Attachment[] = [...attachments]
  // One at a time: each may be large.
  for (const [index, each] of [...images, ...audio, ...files].entries()) {
    const name = `file-${index + 1}`
    const { idempotencyKey: key } = options
    // One that would be too long is left out.
    const idempotencyKey = key === undefined || key.length > LONGEST_KEY ? undefined : `${name} ${key}`
    read.push(await readAttachment(http, each, name, { ...options, idempotencyKey }))
  }
  return read
}

async function readAttachment(
  http: Http,
  given: Attached,
  fallback: string,
  { userId, signal, headers, idempotencyKey }: AttachOptions,
): Promise<Attachment> {
  if (typeof given === 'object' && 'file_id' in given) return { type, name: fallback, file_id: given.file_id }
  if (typeof given === 'string' && /^file_[A-Za-z0-9]+$/.test(given)) return { type, name: fallback, file_id: given }
  if (given instanceof ReadableStream) {
    const { id, name } = await upload(http, given, { name: fallback, userId, signal, headers, idempotencyKey })
    return { type, name, file_id: id }
  }
  const source = await sourceOf(given)
  try {
    const named = { type: source.type || type, name: source.name || fallback }
    if (source.size > INLINE_BYTES) {
      const { id } = await upload(http, source, { name: named.name, userId, signal, headers, idempotencyKey })
      return { ...named, file_id: id }
    }
    const bytes = await new Blob([await source.slice(0, source.size)]).arrayBuffer()
    return { ...named, data: base64Of(new Uint8Array(bytes)) }
  } finally {
    await source.close?.()
  }
}

function base64Of(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += ENCODED_BYTES)
    text += btoa(String.fromCharCode(...bytes.subarray(at, at + ENCODED_BYTES)))
  return text
}
