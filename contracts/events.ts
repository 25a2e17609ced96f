// The events of a turn or a job in the wire contract, as sent over SSE and WebSocket.
import type { ApprovalDecision, ApprovalKind } from './approval.ts'
import type { JobStage } from './job.ts'
import type { ErrorBody } from './failures.ts'
import type { FinishReason } from './model-messages.ts'
import type { Notice } from './notices.ts'

export interface TurnEventData {
  accepted: { turn_id: string; conversation_id: string; message_id: string }
  message_start: {
    id: string
    turn_id: string
    conversation_id: string
    agent_id: string
    /** From 0 to 1; only when the orchestrator has chosen the agent. */
    routing_confidence?: number
    created_at: string
  }
  content: { content: string; step: number }
  content_reset: { step: number; reason: string; content: string }
  /** `turn_id`: the turn of the agent that is asked. */
  tool_call_start: { id: string; name: string; server: string; parameters: unknown; turn_id?: string }
  tool_call_progress: { id: string; progress: number; total?: number; message?: string }
  /** `agent_id`: the agent that goes on with the turn. */
  tool_call_end: { id: string; output: unknown; is_error: boolean; agent_id?: string }
  approval_required: ApprovalRequired
  approval_decided: { id: string; decision: ApprovalDecision | 'cancelled' }
  /** `finish_reason` is missing of turns that ended before it was recorded; `agent_id`: the agent that the turn was handed over to. */
  message_end: { id: string; usage: Usage; finish_reason?: FinishReason; agent_id?: string }
  cancelled: { id: string }
  error: ErrorBody
  progress: JobProgress
  completed: { id: string; result: JobResult | ReembedResult }
  failed: ErrorBody & { id: string }
}

/** A decision that a user must make before a call continues. */
export interface ApprovalRequired {
  id: string
  call_id: string
  kind: ApprovalKind
  name: string
  server: string
  parameters?: unknown
  /** The tool has changed since its server was configured. */
  drifted?: true
  schema?: unknown
  url?: string
  message?: string
  /** The agent that was asked and whose call waits; `call_id` is then the call that asked it. */
  agent_id?: string
}

/** Progress of a job in its current stage. */
export interface JobProgress {
  done: number
  total: number
  unit: 'pages' | 'pictures' | 'segments' | 'parts' | 'chunks'
  stage: JobStage
  eta_s?: number
}

export interface JobResult {
  document_id: string
  pages: number
  chunks: number
  /** What was left out, not read or guessed; absent when there is nothing to tell. */
  notices?: Notice[]
  /** Of an image: the derived files, without private metadata. */
  image_file_id?: string
  thumbnail_file_id?: string
  description?: string
  /** Of a recording, in milliseconds: total, and without silence. */
  duration_ms?: number
  sound_ms?: number
  summary?: string
  /** Skipped files within the file, with the reason. */
  skipped?: { name: string; reason: string }[]
  /** Of the models that summarized or described it. */
  usage?: Usage
  /** The earlier job with the same bytes and options, whose results are reused. */
  reused_job_id?: string
}

/** Of a job that embedded everything again. */
export interface ReembedResult {
  /** The model that searches use from now on. */
  model: string
  dimension: number
  chunks: number
  /** How many chunks the embedding server refused; they are found by their words only. */
  refused?: number
}

export type TurnEventType = keyof TurnEventData

/** An event without its number. */
export type NewEvent = { [T in TurnEventType]: { type: T; data: TurnEventData[T] } }[TurnEventType]

/** An event in the log: numbered from 1 without gaps within its stream. */
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

/** Whether this event ends its stream. */
export function isFinal(type: string): boolean {
  return FINAL.has(type)
}
