// What is attached to a message: checked, and its bytes stored before the turn is.
import type { AttachmentInput } from '../../contracts/schemas/chat.ts'
import { MuxiError, notFound } from '../../contracts/failures.ts'
import type { BlobStore } from '../../db/blobs.ts'
import type { Attachment } from '../../db/queries/turns.ts'

/** First bytes of the images that models take; the content decides, not the name. */
const IMAGES: readonly (readonly [string, (bytes: Buffer) => boolean])[] = [
  ['image/png', (bytes) => bytes.subarray(0, 8).equals(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'))],
  ['image/jpeg', (bytes) => bytes.subarray(0, 3).equals(Buffer.from([0xff, 0xd8, 0xff]))],
  ['image/gif', (bytes) => /^GIF8[79]a$/.test(bytes.toString('latin1', 0, 6))],
  ['image/webp', (bytes) => bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WEBP'],
]

/** The type of an image that models take; undefined for anything else. */
export function imageType(bytes: Buffer): string | undefined {
  return IMAGES.find(([, matches]) => matches(bytes))?.[0]
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** Stores what is attached inline. @throws MuxiError bad_request, unsupported_media_type, not_found */
export async function storeAttachments(blobs: BlobStore, userId: string, inputs: readonly AttachmentInput[]): Promise<Attachment[]> {
  const checked = inputs.map(check)
  return Promise.all(
    checked.map(async ({ bytes, ...attachment }) => ({ ...attachment, sha256: await blobs.put(userId, bytes), size: bytes.byteLength })),
  )
}

function check(input: AttachmentInput, index: number) {
  if ('file_id' in input) throw notFound('file', input.file_id)
  if (!BASE64.test(input.data)) {
    const path = `attachments.${index}.data`
    throw new MuxiError('bad_request', `Cannot read the message: '${path}' must be base64`, { details: { fields: [{ path, expected: 'base64' }] } })
  }
  const bytes = Buffer.from(input.data, 'base64')
  const mediaType = IMAGES.find(([, matches]) => matches(bytes))?.[0]
  if (!mediaType) {
    throw new MuxiError('unsupported_media_type', `Cannot take '${input.name}': an attachment must be a PNG, JPEG, GIF or WebP image for now`)
  }
  return { type: 'image' as const, name: input.name, media_type: mediaType, bytes }
}
