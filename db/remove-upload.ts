// Removes an unfinished upload with the bytes that have arrived.
import { deleteUpload, pieceOwner } from './queries/uploads.ts'
import type { Storage } from './storage.ts'

/** Should the bytes not be removed, and for a piece that is being stored meanwhile, there is an intent row by which they are swept. @returns whether there was an upload */
export async function removeUpload({ db, blobs }: Pick<Storage, 'db' | 'blobs'>, id: string): Promise<boolean> {
  const removed = await db.transaction().execute((tx) => deleteUpload(tx, id))
  await blobs.deleteAll(pieceOwner(id))
  return removed
}
