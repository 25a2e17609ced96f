// Attachments of a message: checked, and their bytes stored before the turn is inserted.
import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import { fromBase64 } from '../../contracts/base64.ts'
import type { JobKind } from '../../contracts/job.ts'
import type { AttachmentInput } from '../../contracts/schemas/chat.ts'
import { shorten } from '../../contracts/shorten.ts'
import { MuxiError, notFound, wrongField } from '../../contracts/failures.ts'
import { findFile, findSameFile, insertFile, holdFileOrThrow } from '../../db/queries/files.ts'
import { insertJob } from '../../db/queries/jobs.ts'
import type { Attachment, NewTurn } from '../../db/queries/turns.ts'
import type { Db, Tx } from '../../db/schema.ts'
import type { Storage } from '../../db/storage.ts'
import { plainName } from '../multipart.ts'
import { isDocumentType, mediaTypeOf } from '../../media/kind/media-type.ts'

/** How a file of a type is ingested. */
export function jobKindOf(type: string): JobKind {
  if (type.startsWith('image/')) return 'image'
  return /^(audio|video)\//.test(type) ? 'audio' : 'document'
}

/** Decoded bytes after which it yields to the event loop. */
const YIELD_BYTES = 2 ** 20

/** Stores inline attachments within the user's quota, and finds previous uploads. @throws MuxiError bad_request, unsupported_media_type, not_found */
export async function storeAttachments(
  { db, blobs }: Storage,
  userId: string,
  inputs: readonly AttachmentInput[],
  mayKeep: (bytes: number) => Promise<void>,
): Promise<Attachment[]> {
  const found: Found[] = []
  let sinceYield = 0
  for (const [index, input] of inputs.entries()) {
    found.push('file_id' in input ? await uploaded(db, userId, input) : inline(input, index))
    sinceYield += 'data' in input ? input.data.length : 0
    if (sinceYield < YIELD_BYTES) continue
    sinceYield = 0
    await yieldToEventLoop()
  }
  const newBytes = await countNew(db, userId, found)
  if (newBytes > 0) await mayKeep(newBytes)
  const stored: Attachment[] = []
  // Sequentially: each is hashed in one call.
  for (const { bytes, ...attachment } of found)
    stored.push(bytes ? { ...attachment, sha256: await blobs.put(userId, bytes) } : attachment)
  return stored
}

/** The inline bytes that are not stored yet: equal ones are stored once. */
async function countNew(db: Db, userId: string, found: readonly Found[]): Promise<number> {
  const seen = new Set<string>()
  let size = 0
  for (const { bytes } of found) {
    if (!bytes) continue
    const sha256 = Buffer.from(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)).toString('hex')
    if (seen.has(sha256)) continue
    seen.add(sha256)
    if ((await findSameFile(db, userId, sha256)) === undefined) size += bytes.byteLength
  }
  return size
}

type Found = Attachment & { bytes?: Buffer }

async function uploaded(db: Db, userId: string, input: { file_id: string }): Promise<Found> {
  const file = await findFile(db, input.file_id)
  // Blobs of a message are owned by its user.
  if (!file || file.user_id !== userId) throw notFound('file', input.file_id)
  return { ...kindOf(file.name, file.type), sha256: file.sha256, size: Number(file.size), file_id: file.id }
}

function inline(input: { name: string; data: string }, index: number): Found {
  const bytes = fromBase64(input.data)
  if (!bytes) throw wrongField('read the message', `attachments.${index}.data`, 'base64')
  const name = plainName(input.name)
  return { ...kindOf(name, mediaTypeOf(bytes, name)), sha256: '', size: bytes.byteLength, bytes }
}

function kindOf(name: string, media_type: string): Pick<Attachment, 'type' | 'name' | 'media_type'> {
  const type = jobKindOf(media_type)
  if (type !== 'document' || isDocumentType(media_type)) return { type, name, media_type }
  throw new MuxiError(
    'unsupported_media_type',
    `Cannot take '${shorten(name)}': an attachment must be a picture, a recording, or a document`,
  )
}

/**
 * Ingesting attachments is part of the turn: one job per file.
 * @param reusing a file of the user with the same bytes is taken in place of a new one: the client sends them with each message
 */
export async function insertAttachedJobs(tx: Tx, turn: NewTurn, reusing: boolean): Promise<Attachment[]> {
  const attached: Attachment[] = []
  for (const attachment of turn.attachments) {
    const { type: kind, name, media_type: type, size, sha256 } = attachment
    const { user_id, key_id, agent_id, conversation_id, turn_id } = turn
    const known = attachment.file_id ?? (reusing ? await findSameFile(tx, user_id, sha256) : undefined)
    const file_id = known ?? (await insertFile(tx, { user_id, key_id, name, type, size, sha256 })).id
    if (known !== undefined) await holdFileOrThrow(tx, known)
    const file = { id: file_id, user_id, name, sha256 }
    await insertJob(tx, { kind, file, key_id, agent_id, conversation_id, turn_id })
    attached.push({ ...attachment, file_id })
  }
  return attached
}
