// Process lock for one duty on a data folder; the operating system releases it when its holder dies.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** `api`: serves the API from this folder. `temporal`: keeps its Temporal server running. */
export type Duty = 'api' | 'temporal'

export interface DataLock {
  release(): void
}

/** SQLite's error for a file that another process has locked: SQLITE_BUSY; Deno reports only the message. */
const BUSY = /database is locked/

/** Keeps the files from the garbage collector, which would close them and so release the locks (seen, 2026-11). */
const held = new Set<DatabaseSync>()

/**
 * Takes the lock, or returns the pid of its holder. It is an open exclusive transaction on an empty SQLite file: the kernel
 * releases it with the process, however that dies, so there are no stale locks and a reused pid cannot be mistaken for the
 * holder.
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
    // A failed write (disk full) is ignored: the pid is only for a message.
  }
  return {
    release() {
      held.delete(file)
      file.close()
    },
  }
}

/** Like `takeDataLock`, but throws when another process has the duty. */
export function takeDataLockOrThrow(dataDir: string, duty: Duty): DataLock {
  const lock = takeDataLock(dataDir, duty)
  if ('release' in lock) return lock
  const holder = lock.heldBy ? `process ${lock.heldBy}` : 'another process'
  throw new Error(
    `Cannot start: data folder '${dataDir}' must not be in use, got ${holder} using it. ` +
      `Stop that one, or give this one its own MUXI_DATA_DIR and MUXI_PORT`,
  )
}

/** Only for the message: a new holder may not have written it yet. */
function readPid(file: string): number | undefined {
  try {
    return Number(readFileSync(file, 'utf8')) || undefined
  } catch {
    return undefined
  }
}
