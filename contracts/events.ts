// The events of a turn or a job, in the words of the wire contract: what a client sees over SSE and WebSocket.
import type { ApprovalDecision, ApprovalKind, JobStage } from './engine.ts'
import type { ErrorBody } from './failures.ts'
import type { FinishReason } from './model-messages.ts'

export interface TurnEventData {
  accepted: { turn_id: string; conversation_id: string; message_id: string }
  message_start: { id: string; turn_id: string; conversation_id: string; agent_id: string; created_at: string }
  content: { content: string; step: number }
  content_reset: { step: number; reason: string; content: string }
  tool_call_start: { id: string; name: string; server: string; parameters: unknown }
  tool_call_progress: { id: string; progress: number; total?: number; message?: string }
  tool_call_end: { id: string; output: unknown; is_error: boolean }
  approval_required: ApprovalRequired
  approval_decided: { id: string; decision: ApprovalDecision | 'cancelled' }
  /** `finish_reason` is missing of turns that ended before it was recorded. */
  message_end: { id: string; usage: Usage; finish_reason?: FinishReason }
  cancelled: { id: string }
  error: ErrorBody
  progress: JobProgress
  completed: { id: string; result: JobResult }
  failed: ErrorBody & { id: string }
}

/** Something that a person is to decide before a call goes on. */
export interface ApprovalRequired {
  id: string
  call_id: string
  kind: ApprovalKind
  name: string
  server: string
  parameters?: unknown
  /** The tool is no longer what it was when its server was configured. */
  drifted?: true
  schema?: unknown
  url?: string
  message?: string
}

/** How far a job is in its present stage. */
export interface JobProgress {
  done: number
  total: number
  unit: 'pages' | 'pictures' | 'segments' | 'parts'
  stage: JobStage
  eta_s?: number
}

export interface JobResult {
  document_id: string
  pages: number
  chunks: number
  /** What whoever relies on the document should know, in a sentence. */
  notice?: string
  /** Of a picture: the files that were made of it, without private metadata. */
  image_file_id?: string
  thumbnail_file_id?: string
  description?: string
  /** Of a recording, in milliseconds: all of it, and what of it is not silence. */
  duration_ms?: number
  sound_ms?: number
  summary?: string
  /** Files within the file that were not read, and why. */
  skipped?: { name: string; reason: string }[]
  /** Of models that were asked to summarize or describe. */
  usage?: Usage
  /** The job that had read the same bytes with the same options before: nothing was done again. */
  reused_job_id?: string
}

export type TurnEventType = keyof TurnEventData

/** An event before it has its number. */
export type NewEvent = { [T in TurnEventType]: { type: T; data: TurnEventData[T] } }[TurnEventType]

/** An event as it stands in the log: numbered from 1 without gaps within its stream. */
export type StoredEvent = NewEvent & { id: number }

export interface Usage {
  input_tokens: number
  output_tokens: number
  cost_usd?: number
}

const FINAL: ReadonlySet<string> = new Set([
  'message_end',
  'cancelled',
  'error',
  'completed',
  'failed',
] satisfies TurnEventType[])

/** Whether nothing may follow this event in its stream. */
export function isFinal(type: string): boolean {
  return FINAL.has(type)
}
