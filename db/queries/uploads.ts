// Resumable uploads: their rows, and those of the pieces that have arrived. The bytes of a piece are a blob.
import type { Insertable } from 'kysely'
import { newId } from '../../contracts/ids.ts'
import { noteBlob } from './noted-blobs.ts'
import { uploadMetadata } from '../columns.ts'
import { parseColumn } from '../json-column.ts'
import type { Db, Tx, UploadPiecesTable, UploadsTable } from '../schema.ts'

/** An upload without new bytes for so long is abandoned, in milliseconds. */
export const UPLOAD_IDLE_MS = 86_400_000

export type Metadata = Record<string, string | null>

export interface Upload extends Omit<UploadsTable, 'metadata'> {
  metadata: Metadata
}

export type NewUpload = Pick<Insertable<UploadsTable>, 'user_id' | 'key_id' | 'name' | 'size'> & { metadata: Metadata }

/** The owner of the pieces of an upload: user ids contain no slash. */
export function pieceOwner(uploadId: string): string {
  return `${PIECES}${uploadId}`
}

const PIECES = 'upload/'

/** An id for an upload, and for the file that it becomes. */
export function newUploadId(): string {
  return newId('file')
}

export async function insertUpload(db: Db, id: string, { metadata, ...upload }: NewUpload): Promise<void> {
  const now = new Date().toISOString()
  const row = { ...upload, id, metadata: JSON.stringify(metadata), received: 0, created_at: now, updated_at: now }
  await db.insertInto('uploads').values(row).execute()
}

/** An upload that is neither finished nor abandoned. */
export async function findUpload(db: Db | Tx, id: string): Promise<Upload | undefined> {
  const row = await db
    .selectFrom('uploads')
    .selectAll()
    .where('id', '=', id)
    .where('updated_at', '>', abandonedBefore())
    .executeTakeFirst()
  return row && { ...toNumbers(row), metadata: parseColumn(uploadMetadata, row.metadata, id) }
}

/** Postgres gives large integers as text. */
function toNumbers(row: UploadsTable): UploadsTable {
  return { ...row, size: Number(row.size), received: Number(row.received) }
}

export function abandonedBefore(now = Date.now()): string {
  return new Date(now - UPLOAD_IDLE_MS).toISOString()
}

/** Adds a stored piece. @returns false when another request has added one meanwhile, or the upload has ended */
export function addPiece(db: Db, piece: UploadPiecesTable): Promise<boolean> {
  const { upload_id, start, size } = piece
  return db.transaction().execute(async (tx) => {
    const { numUpdatedRows } = await tx
      .updateTable('uploads')
      .set({ received: start + size, updated_at: new Date().toISOString() })
      .where('id', '=', upload_id)
      .where('received', '=', start)
      .executeTakeFirst()
    if (numUpdatedRows === 0n) return false
    await tx.insertInto('upload_pieces').values(piece).execute()
    return true
  })
}

/** In the order of their bytes. */
export function listPieces(db: Db, uploadId: string): Promise<UploadPiecesTable[]> {
  return db.selectFrom('upload_pieces').selectAll().where('upload_id', '=', uploadId).orderBy('start').execute()
}

/** The bytes of unfinished uploads of a user. */
export async function countReceived(db: Db, userId: string): Promise<number> {
  const { bytes } = await db
    .selectFrom('uploads')
    .select((eb) => eb.fn.sum<number | string | null>('received').as('bytes'))
    .where('user_id', '=', userId)
    .executeTakeFirstOrThrow()
  return Number(bytes ?? 0)
}

/** Deletes the rows of an upload, and notes its pieces, whose bytes are then removed. @returns whether there was one */
export async function deleteUpload(tx: Tx, id: string): Promise<boolean> {
  const { numDeletedRows } = await tx.deleteFrom('uploads').where('id', '=', id).executeTakeFirst()
  const pieces = await tx.deleteFrom('upload_pieces').where('upload_id', '=', id).returning('sha256').execute()
  for (const { sha256 } of pieces) await noteBlob(tx, { owner: pieceOwner(id), sha256 })
  return numDeletedRows > 0n
}

/** Ids of unfinished uploads: those of a user, or those that are abandoned. */
export async function listUploadIds(db: Db, of: { user_id: string } | { abandoned: true }): Promise<string[]> {
  const query = db.selectFrom('uploads').select('id')
  const rows =
    'user_id' in of ? query.where('user_id', '=', of.user_id) : query.where('updated_at', '<=', abandonedBefore())
  return (await rows.execute()).map(({ id }) => id)
}

/** Whether these bytes are a piece of an unfinished upload. */
export async function isPiece(db: Db, { owner, sha256 }: { owner: string; sha256: string }): Promise<boolean> {
  if (!owner.startsWith(PIECES)) return false
  const row = await db
    .selectFrom('upload_pieces')
    .select('start')
    .where('upload_id', '=', owner.slice(PIECES.length))
    .where('sha256', '=', sha256)
    .executeTakeFirst()
  return row !== undefined
}
