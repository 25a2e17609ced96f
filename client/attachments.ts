// What goes with a message: small things travel in it, large ones are uploaded first and sent by their ids.
import { type CallOptions, type Http, newKey } from './http.ts'
import type { Attachment } from './types.ts'

/** A path (Node and Deno), a file or other bytes, or the id of an uploaded file. */
export type Attached = string | Blob | Uint8Array<ArrayBuffer> | ArrayBuffer | { file_id: string }

/** What a message may bring along; the server finds out what each is from its bytes. */
export interface Attachments {
  images?: readonly Attached[] | undefined
  audio?: readonly Attached[] | undefined
  files?: readonly Attached[] | undefined
  /** As on the wire. */
  attachments?: readonly Attachment[] | undefined
}

export interface AttachOptions extends Pick<CallOptions, 'signal'> {
  /** The user of the message; uploaded files become theirs. */
  userId?: string | undefined
  /** Reads the file of a path. Default: with `node:fs`. */
  readFile?: ((path: string) => Promise<Blob>) | undefined
}

/** Bytes from which a file is uploaded first. */
const INLINE_BYTES = 2 ** 18
/** Bytes that are encoded at once; a multiple of three. */
const ENCODED_BYTES = 3 * 2 ** 13

/** The attachments as a request has them; undefined when there are none. */
export async function attachmentsOf(
  http: Http,
  { images = [], audio = [], files = [], attachments = [] }: Attachments,
  options: AttachOptions = {},
): Promise<Attachment[] | undefined> {
  const given = [...images, ...audio, ...files]
  const read: Attachment[] = [...attachments]
  // One at a time: each may be large.
  for (const [index, each] of given.entries()) read.push(await attachmentOf(http, each, `file-${index + 1}`, options))
  return read.length > 0 ? read : undefined
}

async function attachmentOf(
  http: Http,
  given: Attached,
  fallback: string,
  { userId, signal, readFile = readPath }: AttachOptions,
): Promise<Attachment> {
  const type = 'application/octet-stream'
  if (typeof given === 'object' && 'file_id' in given) return { type, name: fallback, file_id: given.file_id }
  if (typeof given === 'string' && /^file_[A-Za-z0-9]+$/.test(given)) return { type, name: fallback, file_id: given }
  const isPath = typeof given === 'string'
  const blob = isPath ? await readFile(given) : given instanceof Blob ? given : new Blob([given])
  const name = (isPath ? given.split(/[\\/]/).at(-1) : (blob as Partial<File>).name) || fallback
  const named = { type: blob.type || type, name }
  if (blob.size <= INLINE_BYTES) return { ...named, data: base64Of(new Uint8Array(await blob.arrayBuffer())) }
  const form = new FormData()
  if (userId !== undefined) form.append('user_id', userId)
  form.append('file', blob, name)
  const { id } = await http.json<{ id: string }>('POST', '/files', { form, idempotencyKey: newKey(), signal })
  return { ...named, file_id: id }
}

async function readPath(path: string): Promise<Blob> {
  // Bundlers for browsers must not look for it.
  const name = 'node:fs'
  const { openAsBlob } = (await import(/* @vite-ignore */ name)) as { openAsBlob: (path: string) => Promise<Blob> }
  return openAsBlob(path)
}

function base64Of(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += ENCODED_BYTES)
    text += btoa(String.fromCharCode(...bytes.subarray(at, at + ENCODED_BYTES)))
  return text
}
