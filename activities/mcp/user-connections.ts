// Connections to one MCP server that carry the tokens of one user each: opened on demand, bounded in number, closed when idle.
import { raceSignal } from '../../contracts/signals.ts'
import { mapAll } from '../../contracts/map-all.ts'
import type { McpConnection } from '../../mcp/connection.ts'
import { McpFailure } from '../../mcp/failure.ts'

const MAX_USERS = 50
const IDLE_MS = 60_000

/** A connection for one call. */
export interface Lent {
  connection: McpConnection
  giveBack: () => void
}

interface Entry {
  opening: Promise<McpConnection>
  calls: number
  idle: NodeJS.Timeout | undefined
}

export class UserConnections {
  readonly #open: (userId: string) => Promise<McpConnection>
  /** In order of last use. */
  readonly #entries = new Map<string, Entry>()

  constructor(open: (userId: string) => Promise<McpConnection>) {
    this.#open = open
  }

  /** Lends the connection of a user. @throws McpFailure, or the signal's reason */
  async lend(userId: string, signal: AbortSignal): Promise<Lent> {
    const entry = this.#entryOf(userId)
    entry.calls += 1
    clearTimeout(entry.idle)
    const giveBack = () => {
      entry.calls -= 1
      if (entry.calls === 0) entry.idle = setTimeout(() => void this.#drop(userId, entry, 'it is unused'), IDLE_MS)
    }
    try {
      return { connection: await raceSignal(entry.opening, signal), giveBack }
    } catch (error) {
      giveBack()
      throw error
    }
  }

  /** Closes all connections. */
  async close(why: string): Promise<void> {
    await mapAll([...this.#entries], ([userId, entry]) => this.#drop(userId, entry, why))
  }

  #entryOf(userId: string): Entry {
    const known = this.#entries.get(userId)
    if (known) {
      this.#entries.delete(userId)
      this.#entries.set(userId, known)
      return known
    }
    if (this.#entries.size >= MAX_USERS) {
      const idle = [...this.#entries].find(([, { calls }]) => calls === 0)
      if (!idle) throw new McpFailure('unsent', `${MAX_USERS} users are calling it at once`)
      void this.#drop(...idle, 'others need it')
    }
    const entry: Entry = { opening: this.#open(userId), calls: 0, idle: undefined }
    this.#entries.set(userId, entry)
    const forget = () => {
      clearTimeout(entry.idle)
      if (this.#entries.get(userId) === entry) this.#entries.delete(userId)
    }
    entry.opening.then(({ closed }) => closed.then(forget), forget)
    return entry
  }

  async #drop(userId: string, entry: Entry, why: string): Promise<void> {
    clearTimeout(entry.idle)
    if (this.#entries.get(userId) === entry) this.#entries.delete(userId)
    await entry.opening.then(
      (connection) => connection.close(why),
      () => undefined,
    )
  }
}
