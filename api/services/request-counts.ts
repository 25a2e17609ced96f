// Counts requests by route in memory, and adds them to the rows every second: counting costs a request no statement.
import type { Logger } from 'pino'
import { addRequestCounts, hourOf } from '../../db/queries/request-counts.ts'
import type { Db } from '../../db/schema.ts'

/** What a killed process loses, in milliseconds. */
const FLUSH_MS = 1_000
const RETRY_MS = 5_000

export class RequestCounts {
  readonly #db: Db
  readonly #log: Pick<Logger, 'warn'>
  #counts = new Map<string, number>()
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

  /** Writes what was counted; also before it is read. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  async #write(): Promise<void> {
    const counts = this.#counts
    if (counts.size === 0) return
    this.#counts = new Map()
    try {
      await addRequestCounts(this.#db, hourOf(Date.now()), counts)
    } catch (error) {
      for (const [name, count] of counts) this.#counts.set(name, (this.#counts.get(name) ?? 0) + count)
      this.#log.warn({ err: error }, 'the counts of requests could not be written, they will be again')
      this.#timer ??= setTimeout(() => void this.flush(), RETRY_MS).unref()
    }
  }
}
