// Blobs with an intent row written first: a process may die between storing the bytes and inserting the row that refers to
// them.
import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { MuxiError } from '../contracts/failures.ts'
import type { Blobs } from './blobs.ts'
import { noteBlob } from './queries/noted-blobs.ts'
import type { Db } from './schema.ts'

/** How long a write waits while the same blob is being removed, in milliseconds. */
const WAIT_MS = 10_000
const PAUSE_MS = 50

/** Wraps blobs; `put` and `keep` write an intent row, so never inside a transaction. */
export function notedBlobs(blobs: Blobs, db: Db): Blobs {
  return {
    async put(owner, bytes) {
      await note(db, owner, createHash('sha256').update(bytes).digest('hex'))
      return blobs.put(owner, bytes)
    },
    async receive(stream) {
      const received = await blobs.receive(stream)
      const keep = async (owner: string) => {
        await note(db, owner, received.sha256)
        await received.keep(owner)
      }
      return { ...received, keep }
    },
    get: (...what) => blobs.get(...what),
    read: (...what) => blobs.read(...what),
    has: (...what) => blobs.has(...what),
    delete: (...what) => blobs.delete(...what),
    deleteAll: (...what) => blobs.deleteAll(...what),
    withFile: (...what) => blobs.withFile(...what),
    removeLeftovers: (...what) => blobs.removeLeftovers(...what),
    close: () => blobs.close(),
  }
}

async function note(db: Db, owner: string, sha256: string): Promise<void> {
  const deadline = Date.now() + WAIT_MS
  while (!(await noteBlob(db, { owner, sha256 }))) {
    if (Date.now() > deadline)
      throw new MuxiError('unavailable', 'Cannot store the file: the same bytes are just being removed')
    await delay(PAUSE_MS)
  }
}
