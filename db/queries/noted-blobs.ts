// Intent rows of blobs: written before the bytes are stored, so that blobs without a row after a crash are found and
// removed.
import type { Db, NotedBlobsTable, Tx } from '../schema.ts'

/** A removal takes at most a few minutes; after that its process is considered dead. */
const REMOVAL_MS = 300_000

type Ref = Pick<NotedBlobsTable, 'owner' | 'sha256'>

const isDead = () => new Date(Date.now() - REMOVAL_MS).toISOString()

/**
 * Records that a blob is about to be stored, or that its last row is being deleted. @returns false while it is being removed
 */
export async function noteBlob(db: Db | Tx, { owner, sha256 }: Ref): Promise<boolean> {
  const noted_at = new Date().toISOString()
  const noted = await db
    .insertInto('noted_blobs')
    .values({ owner, sha256, noted_at, removing_at: null })
    .onConflict((oc) =>
      oc
        .columns(['owner', 'sha256'])
        .doUpdateSet({ noted_at, removing_at: null })
        .where((eb) =>
          eb.or([eb('noted_blobs.removing_at', 'is', null), eb('noted_blobs.removing_at', '<', isDead())]),
        ),
    )
    .returning('owner')
    .executeTakeFirst()
  return noted !== undefined
}

/** Recorded before a given time, oldest first. */
export function listNoted(db: Db, before: string, limit: number): Promise<NotedBlobsTable[]> {
  return db
    .selectFrom('noted_blobs')
    .selectAll()
    .where('noted_at', '<', before)
    .where((eb) => eb.or([eb('removing_at', 'is', null), eb('removing_at', '<', isDead())]))
    .orderBy('noted_at')
    .limit(limit)
    .execute()
}

/** Claims a blob for removal: writes of the same bytes wait until it ends. @returns false when it was recorded again */
export async function beginRemoval(
  db: Db,
  { owner, sha256, noted_at, removing_at }: NotedBlobsTable,
): Promise<boolean> {
  const taken = await db
    .updateTable('noted_blobs')
    .set({ removing_at: new Date().toISOString() })
    .where('owner', '=', owner)
    .where('sha256', '=', sha256)
    .where('noted_at', '=', noted_at)
    .where('removing_at', removing_at === null ? 'is' : '=', removing_at)
    .executeTakeFirst()
  return taken.numUpdatedRows > 0n
}

/** Deletes an intent row, unless it was renewed. */
export async function forgetNote(db: Db, { owner, sha256, noted_at }: NotedBlobsTable): Promise<void> {
  await db
    .deleteFrom('noted_blobs')
    .where('owner', '=', owner)
    .where('sha256', '=', sha256)
    .where('noted_at', '=', noted_at)
    .execute()
}
