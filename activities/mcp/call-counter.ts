// Counts the running calls to one MCP server, for its row.
import { changeServer, type Hold } from '../../db/queries/mcp-owners.ts'
import type { Db } from '../../db/schema.ts'

export class CallCounter {
  readonly #db: Db
  readonly #hold: Hold
  #active = 0
  #lastActivity: string | null = null
  #isFlushed = true

  constructor(db: Db, hold: Hold) {
    this.#db = db
    this.#hold = hold
  }

  get active(): number {
    return this.#active
  }

  async count<T>(call: () => Promise<T>): Promise<T> {
    this.#change(1)
    try {
      return await call()
    } finally {
      this.#change(-1)
    }
  }

  /** Writes the counters to the row, if they have changed. */
  async flush(): Promise<void> {
    if (this.#isFlushed) return
    this.#isFlushed = true
    await changeServer(this.#db, this.#hold, { active_requests: this.#active, last_activity_at: this.#lastActivity })
  }

  #change(by: 1 | -1): void {
    this.#active += by
    this.#lastActivity = new Date().toISOString()
    this.#isFlushed = false
  }
}
