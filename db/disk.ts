// Whether the disk of the data folder is writable.
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const SQLITE_FULL = 13
const FULL = ['ENOSPC', 'EDQUOT']
const PROBE = new Uint8Array(65_536)
/** How long the result of a probe is cached, in milliseconds. */
const FRESH_MS = 1_000

/** Whether an error of the file system or of SQLite means that a disk is full. */
export function isDiskFull(error: unknown): boolean {
  const { code, errcode } = (error ?? {}) as { code?: unknown; errcode?: unknown }
  if (code === 'ERR_SQLITE_ERROR') return typeof errcode === 'number' && (errcode & 0xff) === SQLITE_FULL
  return typeof code === 'string' && FULL.includes(code)
}

export type DiskState = 'ok' | 'full' | 'unwritable'

/** Probes by writing a small file into a folder, which also detects quotas and read-only disks. */
export class DiskProbe {
  readonly #folder: string
  #last: { at: number; state: Promise<DiskState> } | undefined

  constructor(dataDir: string) {
    this.#folder = join(dataDir, 'cache')
  }

  check(): Promise<DiskState> {
    const now = performance.now()
    if (!this.#last || now - this.#last.at > FRESH_MS) this.#last = { at: now, state: this.#probe() }
    return this.#last.state
  }

  async #probe(): Promise<DiskState> {
    const file = join(this.#folder, `probe-${process.pid}`)
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 })
      await writeFile(file, PROBE, { mode: 0o600 })
      return 'ok'
    } catch (error) {
      return isDiskFull(error) ? 'full' : 'unwritable'
    } finally {
      await rm(file, { force: true }).catch(() => undefined)
    }
  }
}
