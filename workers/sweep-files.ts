// Removes files without references, abandoned uploads, and partial files left by a crash, after a time.
import type { Logger } from 'pino'
import { deleteFile, isAttached, isReferred, listUnread } from '../db/queries/files.ts'
import { beginRemoval, forgetNote, listNoted } from '../db/queries/noted-blobs.ts'
import { isPiece, listUploadIds } from '../db/queries/uploads.ts'
import { removeUpload } from '../db/remove-upload.ts'
import type { Storage } from '../db/storage.ts'

const PAGE = 100
const DAY_MS = 86_400_000
/** An upload that has not grown for a day is abandoned. */
const LEFTOVER_MS = DAY_MS

interface Options {
  storage: Pick<Storage, 'db' | 'blobs'>
  log: Logger
}

/** One pass. @param days how long a file may be without a job, message or knowledge that refers to it */
export async function sweepFiles(
  { storage: { db, blobs }, log }: Options,
  days: number,
  signal: AbortSignal,
): Promise<void> {
  const before = new Date(Date.now() - days * DAY_MS).toISOString()
  let removed = 0
  let after = ''
  for (;;) {
    const files = await listUnread(db, before, PAGE, after)
    for (const file of files) {
      if (signal.aborted) return
      if (await isAttached(db, file)) continue
      if (await db.transaction().execute((tx) => deleteFile(tx, file))) await blobs.delete(file.user_id, file.sha256)
      removed += 1
    }
    const last = files.at(-1)
    if (!last) break
    after = last.id
  }
  for (const id of await listUploadIds(db, { abandoned: true })) {
    if (signal.aborted) return
    if (await removeUpload({ db, blobs }, id)) removed += 1
  }
  const noted = await sweepNoted({ db, blobs }, signal)
  const leftovers = await blobs.removeLeftovers(LEFTOVER_MS, signal)
  if (removed + noted + leftovers > 0)
    log.info({ files: removed, without_row: noted, leftovers }, 'removed unreferenced files')
}

/** Blobs without a row for at least a day. @returns how many were removed */
async function sweepNoted({ db, blobs }: Options['storage'], signal: AbortSignal): Promise<number> {
  const before = new Date(Date.now() - LEFTOVER_MS).toISOString()
  let removed = 0
  for (;;) {
    const noted = await listNoted(db, before, PAGE)
    for (const each of noted) {
      if (signal.aborted) return removed
      if (!(await isReferred(db, each)) && !(await isPiece(db, each))) {
        if (!(await beginRemoval(db, each))) continue
        await blobs.delete(each.owner, each.sha256)
        removed += 1
      }
      await forgetNote(db, each)
    }
    if (noted.length < PAGE) return removed
  }
}
