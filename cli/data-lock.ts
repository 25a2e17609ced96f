// Keeps two processes from having the same duty on one data folder: a lock that the system drops when its holder dies.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** `api`: serves the API from this folder. `temporal`: keeps its Temporal server running. */
export type Duty = 'api' | 'temporal'

export interface DataLock {
  release(): void
}

/** What SQLite says when somebody else has the file: SQLITE_BUSY; Deno tells it by message only. */
const BUSY = /database is locked/

/** Keeps the files from the garbage collector, which would close them and so give the locks away (seen, 2026-11). */
const held = new Set<DatabaseSync>()

/**
 * The lock, or the pid of the process that has it. It is an open exclusive transaction on an empty SQLite file: the kernel
 * ends it with the process, however that dies, so there are no stale locks and a reused pid cannot be mistaken for the holder.
 */
export function takeDataLock(dataDir: string, duty: Duty): DataLock | { heldBy: number | undefined } {
  const folder = join(dataDir, 'locks')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const pidFile = join(folder, `${duty}.pid`)
  const file = new DatabaseSync(join(folder, `${duty}.lock`), { timeout: 0 })
  try {
    file.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    file.close()
    if (!BUSY.test((error as Error).message)) throw error
    return { heldBy: readPid(pidFile) }
  }
  held.add(file)
  try {
    writeFileSync(pidFile, `${process.pid}\n`)
  } catch {
    // The disk is full, or so. It is only for a message.
  }
  return {
    release() {
      held.delete(file)
      file.close()
    },
  }
}

/** As `takeDataLock`, for a duty that nobody else may have. */
export function takeDataLockOrThrow(dataDir: string, duty: Duty): DataLock {
  const lock = takeDataLock(dataDir, duty)
  if ('release' in lock) return lock
  const holder = lock.heldBy ? `process ${lock.heldBy}` : 'another process'
  throw new Error(
    `Cannot start: data folder '${dataDir}' must not be in use, got ${holder} using it. ` +
      `Stop that one, or give this one its own MUXI_DATA_DIR and MUXI_PORT`,
  )
}

/** Only for the message: whoever has just taken the lock may not have written it yet. */
function readPid(file: string): number | undefined {
  try {
    return Number(readFileSync(file, 'utf8')) || undefined
  } catch {
    return undefined
  }
}
