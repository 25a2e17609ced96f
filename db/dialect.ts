// What the two databases do differently, as queries see it. Each file of a dialect (sqlite.ts, postgres.ts) has all of it.
import type { DialectAdapter, Kysely } from 'kysely'
import type { StoredEvent } from '../contracts/events.ts'
import type { Db, Tx } from './schema.ts'
import type { VectorStore } from './vectors/vector-store.ts'

export interface Differences {
  /** A value as the database takes it. */
  bind(value: unknown): unknown
  /** Holds names until the transaction ends: whoever wants one of them waits. In the order given, so give it in one order. */
  lockNames(tx: Tx, names: readonly string[]): Promise<void>
  /** Counts streams up by new events, except those that have ended, and stores the events. @returns the new heads */
  appendSegments(tx: Tx, segments: readonly NewSegment[]): Promise<{ stream_id: string; head: number }[]>
  /** Has the database keep the heads of streams when segments are inserted, where `appendSegments` does not. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a migration knows no schema
  countStreams(db: Kysely<any>): Promise<void>
  /** Has the database tell other processes of new events, where they cannot see it themselves. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a migration knows no schema
  announceEvents(db: Kysely<any>): Promise<void>
  /** The same for stop requests: rows of a table whose `cancel_requested_at` is set. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a migration knows no schema
  announceStops(db: Kysely<any>, table: string): Promise<void>
}

/** Events that a stream is to go on with. */
export interface NewSegment {
  stream_id: string
  count: number
  /** Whether the last of them is the final one. */
  ended: boolean
  /** Packed, as they are stored. */
  events: string
}

/** A database that is open, its index of documents, and news of what other processes commit to it. */
export interface Database {
  db: Db
  vectors: VectorStore
  commits: ForeignCommits
  stops: ForeignStops
  close: () => Promise<void>
}

/** What has been committed: the numbers that streams have reached, and events that came along. */
export interface Commits {
  heads: ReadonlyMap<string, number>
  events: readonly { stream: string; events: StoredEvent[] }[]
}

/** Calls back until the returned function is called; undefined: it may have been anything. */
export interface Foreign<T> {
  listen(listener: (told: T | undefined) => void): () => void
}

/** Commits of other processes. */
export type ForeignCommits = Foreign<Commits>
/** The turns and jobs that other processes want stopped. */
export type ForeignStops = Foreign<readonly string[]>

// oxlint-disable-next-line typescript/no-explicit-any -- a migration knows no schema
export function differencesOf(db: Kysely<any>): Differences {
  return db.getExecutor().adapter as DialectAdapter & Differences
}
