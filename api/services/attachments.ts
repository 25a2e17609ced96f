// What is attached to a message: checked, and its bytes stored before the turn is.
import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import type { JobKind } from '../../contracts/engine.ts'
import type { AttachmentInput } from '../../contracts/schemas/chat.ts'
import { shorten } from '../../contracts/shorten.ts'
import { MuxiError, notFound, wrongField } from '../../contracts/failures.ts'
import { findFile, insertFile } from '../../db/queries/files.ts'
import { insertJob } from '../../db/queries/jobs.ts'
import type { Attachment, NewTurn } from '../../db/queries/turns.ts'
import type { Db, Tx } from '../../db/schema.ts'
import type { Storage } from '../../db/storage.ts'
import { sniffMedia } from '../../media/sniff-media.ts'
import { DOCUMENT_TYPES, isDocumentKind, sniff } from '../../media/sniff.ts'

const DOCUMENTS: ReadonlySet<string> = new Set(Object.values(DOCUMENT_TYPES))
/** What is no document itself: an archive of some, and what Office wrote before 2007. */
const OTHER_TYPES = { zip: 'application/zip', ole: 'application/x-ole-storage' } as const

/** What bytes are, by their beginning and whatever their sender says. */
export function typeOf(head: Uint8Array, name: string): string {
  const media = sniffMedia(head)
  if (media) return media.type
  const kind = sniff(head, name)
  if (kind === undefined) return 'application/octet-stream'
  return isDocumentKind(kind) ? DOCUMENT_TYPES[kind] : OTHER_TYPES[kind]
}

/** How a file of a type is ingested. */
export function jobKindOf(type: string): JobKind {
  if (type.startsWith('image/')) return 'image'
  return /^(audio|video)\//.test(type) ? 'audio' : 'document'
}

/** Whether bytes are a document that we can read, by their beginning. */
export function isDocument(head: Uint8Array, name: string): boolean {
  return DOCUMENTS.has(typeOf(head, name))
}

/** What must be no part of base64; the padding at the end is looked at by itself. */
const NOT_BASE64 = /[^A-Za-z0-9+/]/
/** Decoded bytes after which other requests get their turn. */
const YIELD_BYTES = 2 ** 20

/** Stores what is attached inline, if its user may keep so much, and finds what was uploaded before. @throws MuxiError bad_request, unsupported_media_type, not_found */
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
  const inlineBytes = found.reduce((sum, { bytes }) => sum + (bytes?.byteLength ?? 0), 0)
  if (inlineBytes > 0) await mayKeep(inlineBytes)
  const stored: Attachment[] = []
  // One after the other: each is hashed in one go.
  for (const { bytes, ...attachment } of found)
    stored.push(bytes ? { ...attachment, sha256: await blobs.put(userId, bytes) } : attachment)
  return stored
}

type Found = Attachment & { bytes?: Buffer }

async function uploaded(db: Db, userId: string, input: { file_id: string }): Promise<Found> {
  const file = await findFile(db, input.file_id)
  // The bytes of a message belong to its user.
  if (!file || file.user_id !== userId) throw notFound('file', input.file_id)
  return { ...kindOf(file.name, file.type), sha256: file.sha256, size: Number(file.size), file_id: file.id }
}

function inline(input: { name: string; data: string }, index: number): Found {
  const bytes = fromBase64(input.data)
  if (!bytes) throw wrongField('read the message', `attachments.${index}.data`, 'base64')
  return { ...kindOf(input.name, typeOf(bytes, input.name)), sha256: '', size: bytes.byteLength, bytes }
}

function fromBase64(text: string): Buffer | undefined {
  const digits = text.slice(0, text.length - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0))
  return NOT_BASE64.test(digits) ? undefined : Buffer.from(digits, 'base64')
}

function kindOf(name: string, media_type: string): Pick<Attachment, 'type' | 'name' | 'media_type'> {
  const type = jobKindOf(media_type)
  if (type !== 'document' || DOCUMENTS.has(media_type)) return { type, name, media_type }
  throw new MuxiError(
    'unsupported_media_type',
    `Cannot take '${shorten(name)}': an attachment must be a picture, a recording, or a document`,
  )
}

/** Reading what is attached is part of the turn: a job for each file. */
export async function insertAttachedJobs(tx: Tx, turn: NewTurn): Promise<Attachment[]> {
  const attached: Attachment[] = []
  for (const attachment of turn.attachments) {
    const { type: kind, name, media_type: type, size, sha256 } = attachment
    const { user_id, key_id, agent_id, conversation_id, turn_id } = turn
    const file_id = attachment.file_id ?? (await insertFile(tx, { user_id, key_id, name, type, size, sha256 })).id
    const file = { id: file_id, user_id, name, sha256 }
    await insertJob(tx, { kind, file, key_id, agent_id, conversation_id, turn_id })
    attached.push({ ...attachment, file_id })
  }
  return attached
}
