// Files that nothing refers to any more, and what was left half-arrived by a crash, are removed after a time.
import type { Logger } from 'pino'
import { deleteFile, isAttached, listUnread } from '../db/queries/files.ts'
import type { Storage } from '../db/storage.ts'

const PAGE = 100
const DAY_MS = 86_400_000
/** An upload that has not grown for a day is not under way. */
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
  const leftovers = await blobs.removeLeftovers(LEFTOVER_MS, signal)
  if (removed + leftovers > 0) log.info({ files: removed, leftovers }, 'removed files that nobody needs')
}
