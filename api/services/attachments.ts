// What is attached to a message: checked, and its bytes stored before the turn is.
import type { AttachmentInput } from '../../contracts/schemas/chat.ts'
import { MuxiError, notFound } from '../../contracts/failures.ts'
import { findFile, insertFile } from '../../db/queries/files.ts'
import { insertJob } from '../../db/queries/jobs.ts'
import type { Attachment, NewTurn } from '../../db/queries/turns.ts'
import type { Db, Tx } from '../../db/schema.ts'
import type { Storage } from '../../db/storage.ts'
import { sniff } from '../../media/sniff.ts'

/** First bytes of the images that models take; the content decides, not the name. */
const IMAGES: readonly (readonly [string, (bytes: Buffer) => boolean])[] = [
  ['image/png', (bytes) => bytes.subarray(0, 8).equals(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'))],
  ['image/jpeg', (bytes) => bytes.subarray(0, 3).equals(Buffer.from([0xff, 0xd8, 0xff]))],
  ['image/gif', (bytes) => /^GIF8[79]a$/.test(bytes.toString('latin1', 0, 6))],
  ['image/webp', (bytes) => bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WEBP'],
]

const DOCUMENT_TYPES = { pdf: 'application/pdf', text: 'text/plain', markdown: 'text/markdown' } as const
const DOCUMENTS: ReadonlySet<string> = new Set(Object.values(DOCUMENT_TYPES))

/** What bytes are, by their beginning and whatever their sender says. */
export function typeOf(head: Uint8Array, name: string): string {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength)
  const image = IMAGES.find(([, matches]) => matches(bytes))?.[0]
  if (image) return image
  const kind = sniff(head, name)
  return kind ? DOCUMENT_TYPES[kind] : 'application/octet-stream'
}

/** Whether bytes are a document that we can read, by their beginning. */
export function isDocument(head: Uint8Array, name: string): boolean {
  return DOCUMENTS.has(typeOf(head, name))
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** Stores what is attached inline and finds what was uploaded before. @throws MuxiError bad_request, unsupported_media_type, not_found */
export async function storeAttachments(
  { db, blobs }: Storage,
  userId: string,
  inputs: readonly AttachmentInput[],
): Promise<Attachment[]> {
  const found = await Promise.all(
    inputs.map((input, index) =>
      'file_id' in input ? uploaded(db, userId, input) : Promise.resolve(inline(input, index)),
    ),
  )
  return Promise.all(
    found.map(async ({ bytes, ...attachment }) =>
      bytes ? { ...attachment, sha256: await blobs.put(userId, bytes) } : attachment,
    ),
  )
}

type Found = Attachment & { bytes?: Buffer }

async function uploaded(db: Db, userId: string, input: { file_id: string }): Promise<Found> {
  const file = await findFile(db, input.file_id)
  // The bytes of a message belong to its user.
  if (!file || file.user_id !== userId) throw notFound('file', input.file_id)
  return { ...kindOf(file.name, file.type), sha256: file.sha256, size: Number(file.size), file_id: file.id }
}

function inline(input: { name: string; data: string }, index: number): Found {
  if (!BASE64.test(input.data)) {
    const path = `attachments.${index}.data`
    throw new MuxiError('bad_request', `Cannot read the message: '${path}' must be base64`, {
      details: { fields: [{ path, expected: 'base64' }] },
    })
  }
  const bytes = Buffer.from(input.data, 'base64')
  return { ...kindOf(input.name, typeOf(bytes, input.name)), sha256: '', size: bytes.byteLength, bytes }
}

function kindOf(name: string, media_type: string): Pick<Attachment, 'type' | 'name' | 'media_type'> {
  if (IMAGES.some(([type]) => type === media_type)) return { type: 'image', name, media_type }
  if (DOCUMENTS.has(media_type)) return { type: 'document', name, media_type }
  throw new MuxiError(
    'unsupported_media_type',
    `Cannot take '${name}': an attachment must be a PNG, JPEG, GIF or WebP image, a PDF, or text`,
  )
}

/** Reading what is attached is part of the turn: a job for each document, with its file. */
export async function insertAttachedJobs(tx: Tx, turn: NewTurn): Promise<Attachment[]> {
  const attached: Attachment[] = []
  for (const attachment of turn.attachments) {
    if (attachment.type === 'image') {
      attached.push(attachment)
      continue
    }
    const { name, media_type: type, size, sha256 } = attachment
    const { user_id, key_id } = turn
    const file_id = attachment.file_id ?? (await insertFile(tx, { user_id, key_id, name, type, size, sha256 })).id
    const { agent_id, conversation_id, turn_id } = turn
    await insertJob(tx, { file: { id: file_id, user_id, name, sha256 }, key_id, agent_id, conversation_id, turn_id })
    attached.push({ ...attachment, file_id })
  }
  return attached
}
