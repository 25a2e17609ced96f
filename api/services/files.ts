// Uploaded files: streamed in, downloaded by their owner, deleted.
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { fromBase64 } from '../../contracts/base64.ts'
import { MuxiError, notFound, wrongField } from '../../contracts/failures.ts'
import { canonicalJson } from '../../contracts/json.ts'
import { Value } from '@sinclair/typebox/value'
import { UserIdSchema } from '../../contracts/schemas/chat.ts'
import { InlineFileSchema } from '../../contracts/schemas/jobs.ts'
import { schemaFaults } from '../../contracts/schemas/faults.ts'
import { BlobMissing, type ByteRange, type Received } from '../../db/blobs.ts'
import { countBytes, deleteFile, findFile, insertFile, isInUse, listMadeOf, lockFile } from '../../db/queries/files.ts'
import { findIdempotent, insertIdempotent } from '../../db/queries/idempotency.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { countReceived } from '../../db/queries/uploads.ts'
import type { FilesTable, Tx } from '../../db/schema.ts'
import { readJsonBody } from '../body.ts'
import { invalid } from '../errors.ts'
import { plainName, readForm } from '../multipart.ts'
import { matches, matchesStrongly } from '../static-file.ts'
import { actingUser, ownedOrThrow } from './access.ts'
import { mediaTypeOf } from '../../media/kind/media-type.ts'
import type { ApiContext, ApiLimits } from './context.ts'

/** Streams the file of a form to disk. @throws MuxiError bad_request, conflict, payload_too_large, unsupported_media_type */
export async function uploadFile(
  context: ApiContext,
  principal: Principal,
  request: Request,
  idempotency_key: string | undefined,
): Promise<FilesTable> {
  if (/^application\/json\b/i.test(request.headers.get('content-type') ?? ''))
    return uploadInline(context, principal, request, idempotency_key)
  const { storage, limits } = context
  let received: Received | undefined
  try {
    const { fields, file } = await readForm(request, limits.upload_bytes, async (bytes, part) => {
      received = await storage.blobs.receive(bytes)
      return { ...part, received }
    })
    const { user_id, ...others } = fields
    const unknown = Object.keys(others)[0]
    if (unknown !== undefined) throw wrongField('take the file', unknown, 'left out: it is not known')
    if (user_id !== undefined && !Value.Check(UserIdSchema, user_id))
      throw wrongField('take the file', 'user_id', UserIdSchema.description ?? '')
    return await keepFile(context, principal, { ...file.value, user_id, idempotency_key })
  } catch (error) {
    await received?.discard()
    throw error
  }
}

/** Stores a small base64 file of a JSON body. */
async function uploadInline(
  context: ApiContext,
  principal: Principal,
  request: Request,
  idempotency_key: string | undefined,
): Promise<FilesTable> {
  const { storage, limits } = context
  const body = await readJsonBody(request, limits.chat_body_bytes)
  if (!Value.Check(InlineFileSchema, body)) throw invalid('the file', schemaFaults(InlineFileSchema, body))
  const bytes = fromBase64(body.data)
  if (!bytes) throw wrongField('take the file', 'data', 'base64')
  const received = await storage.blobs.receive(Readable.from([bytes]))
  try {
    return await keepFile(context, principal, {
      name: plainName(body.name),
      received,
      user_id: body.user_id,
      idempotency_key,
    })
  } catch (error) {
    await received.discard()
    throw error
  }
}

interface Upload {
  name: string
  received: Received
  user_id: string | undefined
  idempotency_key: string | undefined
}

/** Stores the received bytes for their owner, and inserts the row. */
async function keepFile(
  context: ApiContext,
  principal: Principal,
  { name, received, user_id, idempotency_key }: Upload,
): Promise<FilesTable> {
  const { db } = context.storage
  const { key_id } = principal
  const { sha256, size } = received
  const owner = actingUser(principal, user_id)
  const known = {
    key_id,
    route: 'files',
    idempotency_key: idempotency_key ?? '',
    body_hash: createHash('sha256')
      .update(canonicalJson([owner, name, sha256]))
      .digest('hex'),
  }
  const findMade = async (tx: Tx) => {
    const made = idempotency_key === undefined ? undefined : await findIdempotent(tx, known)
    return made === undefined ? undefined : findFile(tx, made)
  }
  const made = await db.transaction().execute(findMade)
  if (made) {
    await received.discard()
    return made
  }
  await checkQuota(context, owner, size)
  await received.keep(owner)
  const type = mediaTypeOf(received.head, name)
  context.expectDocument?.(type)
  return db.transaction().execute(async (tx) => {
    const before = await findMade(tx)
    if (before) return before
    const inserted = await insertFile(tx, { user_id: owner, key_id, name, type, size, sha256 })
    if (idempotency_key !== undefined) await insertIdempotent(tx, { ...known, result_id: inserted.id })
    return inserted
  })
}

/** Checks that more bytes fit into the user's quota. @throws MuxiError payload_too_large */
export async function checkQuota(
  {
    storage: { db },
    limits: { user_bytes },
  }: { storage: ApiContext['storage']; limits: Pick<ApiLimits, 'user_bytes'> },
  owner: string,
  size: number,
): Promise<void> {
  const used = (await countBytes(db, owner)) + (await countReceived(db, owner))
  if (used + size <= user_bytes) return
  throw new MuxiError(
    'payload_too_large',
    `Cannot keep the file: all files of a user must be at most ${user_bytes} bytes, and with this one they are ${used + size}`,
    { details: { used_bytes: used, limit_bytes: user_bytes } },
  )
}

/** @throws MuxiError not_found, also for another user's file */
export async function getFileOrThrow(
  { storage: { db } }: Pick<ApiContext, 'storage'>,
  principal: Principal,
  id: string,
): Promise<FilesTable> {
  return ownedOrThrow(principal, await findFile(db, id), 'file', id)
}

export function viewFile({ id, name, type, size, sha256, created_at }: FilesTable) {
  return { id, name, type, size: Number(size), sha256, created_at }
}

/**
 * The bytes, or the requested range, with headers that keep browsers from running or rendering them under this origin.
 * Preconditions are evaluated in the order of RFC 9110, 13.2.2.
 * @param answered headers of a refusal @throws MuxiError precondition_failed, range_not_satisfiable, not_found
 */
export async function fileResponse(
  { storage: { blobs } }: ApiContext,
  file: FilesTable,
  { method, headers: asked }: Pick<Request, 'method' | 'headers'>,
  answered: object,
): Promise<Response> {
  const size = Number(file.size)
  const etag = `"${file.sha256}"`
  const ascii = file.name.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_')
  const headers = {
    'accept-ranges': 'bytes',
    etag,
    'content-disposition': `attachment; filename="${ascii}"; filename*=UTF-8''${encodeURIComponent(file.name).replaceAll(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)}`,
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; sandbox",
    'cache-control': 'private, no-store',
  }
  const wanted = asked.get('if-match')
  if (wanted !== null && !matchesStrongly(wanted, etag)) {
    Object.assign(answered, { etag })
    throw new MuxiError('precondition_failed', `Cannot give file '${file.id}': 'If-Match' must name its ETag`)
  }
  if (matches(asked.get('if-none-match'), etag)) return new Response(null, { status: 304, headers })
  // Ranges are of GET only, and those of another version of the file are not given.
  const isRanged = method === 'GET' && [null, etag].includes(asked.get('if-range'))
  const range = isRanged ? rangeOf(asked.get('range'), size) : undefined
  if (range === 'outside') {
    Object.assign(answered, { etag, 'accept-ranges': 'bytes', 'content-range': `bytes */${size}` })
    throw new MuxiError(
      'range_not_satisfiable',
      `Cannot give file '${file.id}': 'Range' must begin within its ${size} bytes`,
    )
  }
  const stream = await blobs.read(file.user_id, file.sha256, range).catch((error: unknown) => {
    throw error instanceof BlobMissing ? notFound('file', file.id) : error
  })
  return new Response(Readable.toWeb(stream) as unknown as ReadableStream<Uint8Array>, {
    status: range ? 206 : 200,
    headers: {
      ...headers,
      'content-type': file.type,
      'content-length': String(range ? range.end - range.start + 1 : size),
      ...(range && { 'content-range': `bytes ${range.start}-${range.end}/${size}` }),
    },
  })
}

/** One part, as `bytes=0-99`, `bytes=100-` or `bytes=-100`; anything else means the whole file (RFC 9110). */
export function rangeOf(asked: string | null, size: number): ByteRange | 'outside' | undefined {
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(asked?.trim() ?? '') ?? []
  if (from === '' && to === '') return undefined
  const start = from === '' ? Math.max(0, size - Number(to)) : Number(from)
  const end = from === '' || to === '' ? size - 1 : Math.min(size - 1, Number(to))
  if (from !== '' && to !== '' && Number(to) < start) return undefined
  return start > end || (from === '' && Number(to) === 0) ? 'outside' : { start, end }
}

/** Deletes a file with its extracted text; agent knowledge from it is kept. @throws MuxiError conflict */
export async function removeFile(
  { storage: { db, blobs } }: Pick<ApiContext, 'storage'>,
  file: FilesTable,
): Promise<void> {
  const made = await listMadeOf(db, file.id)
  const unused = await db.transaction().execute(async (tx) => {
    await lockFile(tx, file.id)
    if (await isInUse(tx, file.id))
      throw new MuxiError('conflict', `Cannot delete file '${file.id}': a job still reads it`)
    const unused: FilesTable[] = []
    for (const each of [file, ...made]) if (await deleteFile(tx, each)) unused.push(each)
    return unused
  })
  for (const each of unused) await blobs.delete(each.user_id, each.sha256)
}
