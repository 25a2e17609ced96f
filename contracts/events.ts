// The events of a turn or a job in the wire contract, as sent over SSE and WebSocket.
import type { Static, TObject, TSchema } from '@sinclair/typebox'
import type {
  approvalRequiredFields,
  DocumentResultSchema,
  jobEventData,
  ProgressSchema,
  ReembedResultSchema,
  turnEventData,
  UsageSchema,
} from './schemas/events.ts'

type DataOf<S extends Record<string, TSchema>> = { [Event in keyof S]: Static<S[Event]> }

/** The data of each event; `cancelled` is that of turns and of jobs. */
export type TurnEventData = DataOf<typeof turnEventData> & DataOf<typeof jobEventData>

/** A decision that a user must make before a call continues. */
export type ApprovalRequired = Static<TObject<typeof approvalRequiredFields>>
/** Progress of a job in its current stage. */
export type JobProgress = Static<typeof ProgressSchema>
export type JobResult = Static<typeof DocumentResultSchema>
/** Of a job that embedded everything again. */
export type ReembedResult = Static<typeof ReembedResultSchema>
export type Usage = Static<typeof UsageSchema>

export type TurnEventType = keyof TurnEventData

/** An event without its number. */
export type NewEvent = { [T in TurnEventType]: { type: T; data: TurnEventData[T] } }[TurnEventType]

/** An event in the log: numbered from 1 without gaps within its stream. */
export type StoredEvent = NewEvent & { id: number }

const FINAL: ReadonlySet<string> = new Set([
  'message_end',
  'cancelled',
  'error',
  'completed',
  'failed',
] satisfies TurnEventType[])

/** Whether this event ends its stream. */
export function isFinal(type: string): boolean {
  return FINAL.has(type)
}
