// Detects commits to a SQLite file.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Foreign } from './dialect.ts'
import { isSqliteAway } from './sqlite-file.ts'

/** Poll interval for other processes' commits, in milliseconds. */
const POLL_MS = 15

/** Detects commits of other processes to the file, by a poll that costs microseconds. */
export class PolledCommits implements Foreign<never> {
  readonly #foreign: StatementSync
  readonly #written: StatementSync
  readonly #listeners = new Set<(told: undefined) => void>()
  #seen: number | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(raw: DatabaseSync) {
    // A number that changes when another connection has committed.
    this.#foreign = raw.prepare('pragma data_version')
    this.#written = raw.prepare('select total_changes() as rows')
    this.#seen = this.#read()
  }

  /** The version of the database, which changes with every commit; undefined while the file cannot be read. Takes microseconds. */
  version(): string | undefined {
    const others = this.#read()
    return others === undefined ? undefined : `${others}/${String(this.#written.get()!['rows'])}`
  }

  listen(listener: (told: undefined) => void): () => void {
    this.#listeners.add(listener)
    this.#timer ??= setInterval(() => this.#look(), POLL_MS)
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size > 0) return
      clearInterval(this.#timer)
      this.#timer = undefined
    }
  }

  #look(): void {
    const version = this.#read() ?? this.#seen
    if (version === this.#seen) return
    this.#seen = version
    for (const listener of this.#listeners) listener(undefined)
  }

  /** Undefined while another process recovers the file after a crash. */
  #read(): number | undefined {
    try {
      return Number((this.#foreign.get() as { data_version: number }).data_version)
    } catch (error) {
      if (isSqliteAway(error)) return undefined
      throw error
    }
  }
}
