// Uploaded files: taken as they come, read again by their owner, deleted.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { MuxiError } from '../../contracts/failures.ts'
import { canonicalJson } from '../../contracts/json.ts'
import { Value } from '@sinclair/typebox/value'
import { UserIdSchema } from '../../contracts/schemas/chat.ts'
import type { Received } from '../../db/blobs.ts'
import { deleteFile, findFile, insertFile, isInUse, listMadeOf } from '../../db/queries/files.ts'
import { findIdempotent, insertIdempotent } from '../../db/queries/idempotency.ts'
import type { Principal } from '../../db/queries/keys.ts'
import type { FilesTable } from '../../db/schema.ts'
import { readForm } from '../multipart.ts'
import { actingUser, ownedOrThrow } from './access.ts'
import { typeOf } from './attachments.ts'
import type { ApiContext } from './context.ts'

/** Takes the file of a form: to disk as it comes. @throws MuxiError bad_request, conflict, payload_too_large, unsupported_media_type */
export async function uploadFile(
  { storage, limits }: ApiContext,
  principal: Principal,
  request: Request,
  idempotency_key: string | undefined,
): Promise<FilesTable> {
  let received: Received | undefined
  try {
    const { fields, file } = await readForm(request, limits.upload_bytes, async (bytes, part) => {
      received = await storage.blobs.receive(bytes)
      return { ...part, received }
    })
    const { user_id, ...others } = fields
    const unknown = Object.keys(others)[0]
    if (unknown !== undefined) throw wrongField(unknown, 'left out: it is not known')
    if (user_id !== undefined && !Value.Check(UserIdSchema, user_id))
      throw wrongField('user_id', UserIdSchema.description ?? '')
    const owner = actingUser(principal, user_id)
    const { name, received: kept } = file.value
    const known = {
      key_id: principal.key_id,
      route: 'files',
      idempotency_key: idempotency_key ?? '',
      body_hash: createHash('sha256')
        .update(canonicalJson([owner, name, kept.sha256]))
        .digest('hex'),
    }
    return await storage.db.transaction().execute(async (tx) => {
      const made = idempotency_key === undefined ? undefined : await findIdempotent(tx, known)
      const before = made === undefined ? undefined : await findFile(tx, made)
      if (before) {
        await kept.discard()
        return before
      }
      await kept.keep(owner)
      const inserted = await insertFile(tx, {
        user_id: owner,
        key_id: principal.key_id,
        name,
        type: typeOf(kept.head, name),
        size: kept.size,
        sha256: kept.sha256,
      })
      if (idempotency_key !== undefined) await insertIdempotent(tx, { ...known, result_id: inserted.id })
      return inserted
    })
  } catch (error) {
    await received?.discard()
    throw error
  }
}

function wrongField(path: string, expected: string): MuxiError {
  return new MuxiError('bad_request', `Cannot take the file: '${path}' must be ${expected}`, {
    details: { fields: [{ path, expected }] },
  })
}

/** @throws MuxiError not_found, also for another user's file */
export async function getFileOrThrow(
  { storage: { db } }: ApiContext,
  principal: Principal,
  id: string,
): Promise<FilesTable> {
  return ownedOrThrow(principal, await findFile(db, id), 'file', id)
}

export function viewFile({ id, name, type, size, sha256, created_at }: FilesTable) {
  return { id, name, type, size: Number(size), sha256, created_at }
}

/** The bytes, in a way in which no browser runs or shows them as ours. */
export function fileResponse({ storage: { blobs } }: ApiContext, file: FilesTable): Response {
  const stream = Readable.toWeb(
    createReadStream(blobs.path(file.user_id, file.sha256)),
  ) as unknown as ReadableStream<Uint8Array>
  const ascii = file.name.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_')
  return new Response(stream, {
    headers: {
      'content-type': file.type,
      'content-length': String(file.size),
      'content-disposition': `attachment; filename="${ascii}"; filename*=UTF-8''${encodeURIComponent(file.name).replaceAll(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)}`,
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
      'cache-control': 'private, no-store',
    },
  })
}

/** Removes a file with the text that was extracted from it; what an agent has learned from it stays. @throws MuxiError conflict */
export async function removeFile({ storage: { db, blobs } }: ApiContext, file: FilesTable): Promise<void> {
  const made = await listMadeOf(db, file.id)
  const unused = await db.transaction().execute(async (tx) => {
    if (await isInUse(tx, file.id))
      throw new MuxiError('conflict', `Cannot delete file '${file.id}': a job still reads it`)
    const unused: FilesTable[] = []
    for (const each of [file, ...made]) if (await deleteFile(tx, each)) unused.push(each)
    return unused
  })
  for (const each of unused) await blobs.delete(each.user_id, each.sha256)
}
