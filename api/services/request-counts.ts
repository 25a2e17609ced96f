// Counts requests by route in memory, and adds them to the rows every second: counting costs a request no statement. The same for
// the last use of keys.
import type { Logger } from 'pino'
import { touchKeys } from '../../db/queries/keys.ts'
import { addRequestCounts, hourOf } from '../../db/queries/request-counts.ts'
import type { Db } from '../../db/schema.ts'

/** What a killed process loses, in milliseconds. */
const FLUSH_MS = 1_000
const RETRY_MS = 5_000
/** The last use of a key is written this often, in milliseconds. */
const USED_MS = 60_000
/** Keys whose last use is remembered. */
const MOST_KEYS = 10_000

export class RequestCounts {
  readonly #db: Db
  readonly #log: Pick<Logger, 'warn'>
  #counts = new Map<string, number>()
  /** When the use of each key was written. */
  readonly #keys = new Map<string, number>()
  #used = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor({ db, log }: { db: Db; log: Pick<Logger, 'warn'> }) {
    this.#db = db
    this.#log = log
  }

  /** @param name of a bounded set: the pattern of a route, not its path */
  add(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS).unref()
  }

  /** Notes the use of a key. */
  used(keyId: string): void {
    const now = performance.now()
    if (now - (this.#keys.get(keyId) ?? -USED_MS) < USED_MS) return
    if (this.#keys.size >= MOST_KEYS) this.#keys.clear()
    this.#keys.set(keyId, now)
    this.#used.add(keyId)
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS).unref()
  }

  /** Writes what was counted; also before it is read. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  async #write(): Promise<void> {
    const [counts, used] = [this.#counts, this.#used]
    this.#counts = new Map()
    this.#used = new Set()
    try {
      if (counts.size > 0) await addRequestCounts(this.#db, hourOf(Date.now()), counts)
      counts.clear()
      if (used.size > 0) await touchKeys(this.#db, [...used])
    } catch (error) {
      for (const [name, count] of counts) this.#counts.set(name, (this.#counts.get(name) ?? 0) + count)
      for (const keyId of used) this.#used.add(keyId)
      this.#log.warn({ err: error }, 'the counts of requests could not be written, they will be again')
      this.#timer ??= setTimeout(() => void this.flush(), RETRY_MS).unref()
    }
  }
}
