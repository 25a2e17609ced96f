// Opens an SQLite file with the options that all threads share: sqlite-vec, and memory mapping.
import { DatabaseSync } from 'node:sqlite'
import { getLoadablePath } from 'sqlite-vec'

/** How long a statement waits for another process, in milliseconds. */
export const BUSY_MS = 5_000
/** Memory mapping avoids copies in searches (10,000 vectors in 6 instead of 10 ms). */
const MAPPED_BYTES = 268_435_456

export function openFile(file: string, { readOnly = false } = {}): DatabaseSync {
  const raw = new DatabaseSync(file, { readOnly, timeout: BUSY_MS, allowExtension: true })
  raw.loadExtension(getLoadablePath())
  // Deno 2.9 has no such method.
  raw.enableLoadExtension?.(false)
  raw.exec(`pragma mmap_size = ${MAPPED_BYTES}`)
  return raw
}

/** Busy, locked, or a disk error. */
export function isSqliteAway(error: unknown): boolean {
  const { code, errcode } = (error ?? {}) as { code?: unknown; errcode?: unknown }
  return code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number' && [5, 6, 10, 13, 14].includes(errcode & 0xff)
}
