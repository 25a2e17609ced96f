// Local cache of remote files: fetched once for concurrent users, kept for a while, then evicted.
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { raceSignal } from '../contracts/signals.ts'
import { newId } from '../contracts/ids.ts'

export interface CopyLimits {
  /** Limit of unused copies, in bytes. */
  idle_bytes: number
  /** How long an unused copy is kept, in milliseconds. */
  idle_ms: number
}

interface Copy {
  path: string
  users: number
  size: number
  arrived: Promise<void>
  timer?: NodeJS.Timeout
}

export class LocalCopies {
  readonly #folder: string
  readonly #limits: CopyLimits
  readonly #copies = new Map<string, Copy>()

  /** @param folder each process has its own folder below it; those of dead processes are removed */
  constructor(folder: string, limits: CopyLimits) {
    this.#folder = join(folder, `${process.pid}-${newId('blob')}`)
    this.#limits = limits
    mkdirSync(folder, { recursive: true })
    for (const name of readdirSync(folder)) {
      const pid = Number(/^(\d+)-/.exec(name)?.[1])
      if (!pid || pid === process.pid || !isAlive(pid)) rmSync(join(folder, name), { recursive: true, force: true })
    }
    mkdirSync(this.#folder, { mode: 0o700 })
  }

  /** @param fetch writes the bytes into a file that does not exist yet */
  async use<T>(
    key: string,
    fetch: (path: string) => Promise<void>,
    work: (path: string) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    signal.throwIfAborted()
    const copy = this.#copies.get(key) ?? this.#begin(key, fetch)
    clearTimeout(copy.timer)
    copy.users += 1
    try {
      await raceSignal(copy.arrived, signal)
      return await work(copy.path)
    } finally {
      copy.users -= 1
      if (copy.users === 0) this.#rest(key, copy)
    }
  }

  async close(): Promise<void> {
    for (const { timer } of this.#copies.values()) clearTimeout(timer)
    this.#copies.clear()
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 })
  }

  #begin(key: string, fetch: (path: string) => Promise<void>): Copy {
    const path = join(this.#folder, newId('blob'))
    const copy: Copy = { path, users: 0, size: 0, arrived: Promise.resolve() }
    copy.arrived = (async () => {
      try {
        await fetch(path)
        copy.size = (await stat(path)).size
      } catch (error) {
        await this.#forget(key, copy)
        throw error
      }
    })()
    // Waiting callers get the error; without callers it is ignored.
    copy.arrived.catch(() => undefined)
    this.#copies.set(key, copy)
    return copy
  }

  /** Evicts in order of last use. */
  #rest(key: string, copy: Copy): void {
    if (this.#copies.get(key) !== copy) return
    copy.timer = setTimeout(() => void this.#forget(key, copy), this.#limits.idle_ms).unref()
    this.#copies.delete(key)
    this.#copies.set(key, copy)
    const idle = [...this.#copies].filter(([, { users }]) => users === 0)
    let bytes = idle.reduce((sum, [, { size }]) => sum + size, 0)
    for (const [oldest, each] of idle) {
      if (bytes <= this.#limits.idle_bytes) break
      bytes -= each.size
      void this.#forget(oldest, each)
    }
  }

  async #forget(key: string, copy: Copy): Promise<void> {
    clearTimeout(copy.timer)
    if (this.#copies.get(key) === copy) this.#copies.delete(key)
    await rm(copy.path, { force: true }).catch(() => undefined)
  }
}

/** Also in `media/process/scratch.ts`: `db` and `media` share only `contracts`, which knows no processes. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
