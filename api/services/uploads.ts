// Resumable uploads: begun, continued in any process, and made a file when the last byte has come.
import { MuxiError, notFound, wrongField } from '../../contracts/failures.ts'
import { Value } from '@sinclair/typebox/value'
import { UserIdSchema } from '../../contracts/schemas/chat.ts'
import type { Received } from '../../db/blobs.ts'
import { findFile, insertFile } from '../../db/queries/files.ts'
import type { Principal } from '../../db/queries/keys.ts'
import {
  addPiece,
  deleteUpload,
  findUpload,
  insertUpload,
  listPieces,
  type Metadata,
  pieceOwner,
  type Upload,
  UPLOAD_IDLE_MS,
} from '../../db/queries/uploads.ts'
import { removeUpload } from '../../db/remove-upload.ts'
import type { FilesTable } from '../../db/schema.ts'
import { mediaTypeOf } from '../../media/kind/media-type.ts'
import { plainName } from '../multipart.ts'
import { actingUser, ownedOrThrow } from './access.ts'
import type { ApiContext } from './context.ts'
import { checkQuota, viewFile } from './files.ts'

/** Bytes that are stored at once: what a killed process loses at most. */
const PIECE_BYTES = 4 * 2 ** 20
/** On a slow connection a piece is stored after so many milliseconds, however short it is. */
const PIECE_MS = 5_000

/** An upload that is running, or the file that it has become. */
export type UploadState = { upload: Upload; file?: undefined } | { file: FilesTable; upload?: undefined }

/** @throws MuxiError payload_too_large, bad_request, forbidden */
export async function beginUpload(
  context: ApiContext,
  principal: Principal,
  { id, size, metadata }: { id: string; size: number; metadata: Metadata },
): Promise<void> {
  const { user_id } = metadata
  if (user_id !== undefined && !Value.Check(UserIdSchema, user_id))
    throw wrongField('begin the upload', 'user_id', UserIdSchema.description ?? '')
  const owner = actingUser(principal, user_id)
  await checkQuota(context, owner, size)
  // Uppy says `name`, tus-js-client's examples say `filename`.
  const name = plainName(metadata['filename'] ?? metadata['name'] ?? '')
  await insertUpload(context.storage.db, id, { user_id: owner, key_id: principal.key_id, name, size, metadata })
}

/** @throws MuxiError not_found, also for another user's upload and for an abandoned one */
export async function getUploadOrThrow(
  { storage: { db } }: Pick<ApiContext, 'storage'>,
  principal: Principal,
  id: string,
): Promise<UploadState> {
  const upload = await findUpload(db, id)
  if (upload) return { upload: ownedOrThrow(principal, upload, 'upload', id) }
  return { file: ownedOrThrow(principal, await findFile(db, id), 'upload', id) }
}

/** Stores bytes from an offset on, also those that came before the connection was cut. @returns the new offset */
export async function receiveBytes(
  context: ApiContext,
  { id, user_id, size }: Upload,
  stream: AsyncIterable<Uint8Array>,
  offset: number,
): Promise<number> {
  const { db, blobs } = context.storage
  let start = offset
  for await (const piece of piecesOf(stream, Math.min(PIECE_BYTES, size - offset))) {
    await checkQuota(context, user_id, piece.byteLength)
    const sha256 = await blobs.put(pieceOwner(id), piece)
    if (!(await addPiece(db, { upload_id: id, start, size: piece.byteLength, sha256 })))
      throw new MuxiError('conflict', 'Cannot continue the upload: another request does, or has ended it')
    start += piece.byteLength
  }
  return start
}

/** Each piece is in the same memory: it must be used before the next one is asked for. */
async function* piecesOf(stream: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array> {
  const memory = Buffer.allocUnsafe(bytes)
  let length = 0
  let began = Date.now()
  let fault: { error: unknown } | undefined
  try {
    for await (const chunk of stream) {
      for (let at = 0; at < chunk.byteLength;) {
        const part = chunk.subarray(at, at + bytes - length)
        memory.set(part, length)
        length += part.byteLength
        at += part.byteLength
        if (length < bytes && Date.now() - began < PIECE_MS) continue
        yield memory.subarray(0, length)
        length = 0
        began = Date.now()
      }
    }
  } catch (error) {
    fault = { error }
  }
  if (length > 0) yield memory.subarray(0, length)
  if (fault) throw fault.error
}

export function isComplete({ upload }: UploadState): boolean {
  return !upload || upload.received === upload.size
}

/** Those that this process is finishing: a client whose answer was late asks again. */
const finishing = new WeakMap<ApiContext, Map<string, Promise<FilesTable>>>()

/** Makes a file of an upload whose bytes have all come; one that is a file already is given as it is. */
export async function finishUpload(context: ApiContext, state: UploadState): Promise<FilesTable> {
  if (state.file) return state.file
  const { id } = state.upload
  const running = finishing.get(context) ?? new Map<string, Promise<FilesTable>>()
  finishing.set(context, running)
  const finished = running.get(id) ?? makeFile(context, state.upload).finally(() => running.delete(id))
  running.set(id, finished)
  return finished
}

async function makeFile(context: ApiContext, { id, user_id, key_id, name, size }: Upload): Promise<FilesTable> {
  const { db, blobs } = context.storage
  let received: Received | undefined
  try {
    received = await blobs.receive(joined(context, id))
    if (received.size !== size) throw new Error(`the pieces of upload '${id}' have ${received.size} of ${size} bytes`)
    const { sha256, head } = received
    await received.keep(user_id)
    const type = mediaTypeOf(head, name)
    const file = await db.transaction().execute(async (tx) => {
      // Another process may have made it.
      if (!(await deleteUpload(tx, id))) return findFile(tx, id)
      return insertFile(tx, { id, user_id, key_id, name, type, size, sha256 })
    })
    if (!file) throw notFound('upload', id)
    context.expectDocument?.(type)
    await removeUpload(context.storage, id)
    return file
  } catch (error) {
    await received?.discard()
    // Another process has made it, and has removed the pieces meanwhile.
    const made = await findFile(db, id)
    if (made) return made
    throw error
  }
}

async function* joined({ storage: { db, blobs } }: ApiContext, id: string): AsyncGenerator<Uint8Array> {
  for (const { sha256 } of await listPieces(db, id))
    yield* (await blobs.read(pieceOwner(id), sha256)) as AsyncIterable<Uint8Array>
}

export function viewUpload({ upload, file }: UploadState) {
  if (file)
    return {
      id: file.id,
      status: 'completed' as const,
      offset: Number(file.size),
      size: Number(file.size),
      file: viewFile(file),
    }
  const { id, received, size, updated_at } = upload
  const expires_at = new Date(Date.parse(updated_at) + UPLOAD_IDLE_MS).toISOString()
  return { id, status: 'receiving' as const, offset: received, size, expires_at }
}
