// The differences between the two databases, as an interface for queries. Each dialect's file (sqlite.ts, postgres.ts)
// implements it.
import type { DialectAdapter, Kysely, RawBuilder } from 'kysely'
import type { StoredEvent } from '../contracts/events.ts'
import type { MessageWords } from './message-words.ts'
import type { Db, Tx } from './schema.ts'
import type { RowTrigger } from './row-trigger.ts'

export interface Differences {
  /** The full-text index over messages. */
  readonly words: MessageWords
  /** Converts a value to one that the driver accepts. */
  bind(value: unknown): unknown
  /** The database's time as it is stored, some milliseconds from now: the clocks of hosts differ. */
  timeIn(ms: number): RawBuilder<string>
  /** Takes locks on names until the transaction ends. In the given order: callers use one order, to prevent deadlocks. */
  lockNames(tx: Tx, names: readonly string[]): Promise<void>
  /** Advances streams by new events, except those that have ended, and stores the events. @returns the new heads */
  appendSegments(tx: Tx, segments: readonly NewSegment[]): Promise<{ stream_id: string; head: number }[]>
  /** Makes the database update the heads of streams when segments are inserted, where `appendSegments` does not. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a migration knows no schema
  countStreams(db: Kysely<any>): Promise<void>
  /** Makes the database notify other processes of new events, where they cannot poll for them. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a migration knows no schema
  announceEvents(db: Kysely<any>): Promise<void>
  /** The same for stop requests: rows of a table whose `cancel_requested_at` is set. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a migration knows no schema
  announceStops(db: Kysely<any>, table: string): Promise<void>
  /** Makes the database execute statements for each row that is written. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a migration knows no schema
  addRowTrigger(db: Kysely<any>, trigger: RowTrigger): Promise<void>
}

/** New events of a stream. */
export interface NewSegment {
  stream_id: string
  count: number
  /** Whether the last of them is the final one. */
  ended: boolean
  /** In the stored (packed) form. */
  events: string
}

/** Connections of a pool, and requests that wait for one. */
export interface Connections {
  open: number
  idle: number
  waiting: number
}

/** An open database, and notifications of commits by other processes. */
export interface Database {
  db: Db
  commits: ForeignCommits
  stops: ForeignStops
  /** Of its pool; undefined where there is none. */
  connections?: () => Connections
  /** Its version, which changes with every commit; undefined where, or while, it cannot be read without a query. */
  version?: () => string | undefined
  close: () => Promise<void>
}

/** Committed events: the heads of streams, and events that were sent with them. */
export interface Commits {
  heads: ReadonlyMap<string, number>
  events: readonly { stream: string; events: StoredEvent[] }[]
}

/** Subscribes until the returned function is called; undefined: anything may have changed. */
export interface Foreign<T> {
  listen(listener: (told: T | undefined) => void): () => void
}

/** Commits of other processes. */
export type ForeignCommits = Foreign<Commits>
/** The turns and jobs that other processes have requested to stop. */
export type ForeignStops = Foreign<readonly string[]>

// oxlint-disable-next-line typescript/no-explicit-any -- a migration knows no schema
export function differencesOf(db: Kysely<any>): Differences {
  return db.getExecutor().adapter as DialectAdapter & Differences
}
