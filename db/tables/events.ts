// The live event log: streams, their segments, fences and dedupe keys.
import type { Generated } from 'kysely'

export interface EventStreamsTable {
  stream_id: string
  head: Generated<number>
  ended: Generated<number>
  updated_at: string
}

/** A segment of events committed together; `events` is a JSON array of `[type, data]`. */
export interface EventSegmentsTable {
  stream_id: string
  first_id: number
  last_id: number
  events: string
}

/** The newest attempt that may write in a scope of a stream. */
export interface EventFencesTable {
  stream_id: string
  scope: string
  fence: number
  has_text: Generated<number>
}

export interface EventKeysTable {
  stream_id: string
  dedupe_key: string
}
