// What the two databases do differently, as queries see it. Each file of a dialect (sqlite.ts, postgres.ts) has all of it.
import type { DialectAdapter, Kysely } from 'kysely'
import type { Db, Tx } from './schema.ts'
import type { VectorStore } from './vectors/vector-store.ts'

export interface Differences {
  /** Holds names until the transaction ends: whoever wants one of them waits. In the order given, so give it in one order. */
  lockNames(tx: Tx, names: readonly string[]): Promise<void>
  /** Has the database tell other processes of new events, where they cannot see it themselves. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a migration knows no schema
  announceEvents(db: Kysely<any>): Promise<void>
  /** The same for stop requests: rows of a table whose `cancel_requested_at` is set. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a migration knows no schema
  announceStops(db: Kysely<any>, table: string): Promise<void>
}

/** A database that is open, its index of documents, and news of what other processes commit to it. */
export interface Database {
  db: Db
  vectors: VectorStore
  commits: ForeignCommits
  close: () => Promise<void>
}

/** What has been committed: the numbers that streams have reached, and the turns that somebody wants stopped. */
export interface Commits {
  heads: ReadonlyMap<string, number>
  stops: readonly string[]
}

export interface ForeignCommits {
  /** Calls back after commits of other processes until the returned function is called; undefined: it may have been anything. */
  listen(listener: (commits: Commits | undefined) => void): () => void
}

// oxlint-disable-next-line typescript/no-explicit-any -- a migration knows no schema
export function differencesOf(db: Kysely<any>): Differences {
  return db.getExecutor().adapter as DialectAdapter & Differences
}
