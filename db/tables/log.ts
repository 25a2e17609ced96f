// What turns and jobs record: usage of each model request with the budgets that pay for it, the execution log.
import type { Generated } from 'kysely'

/** One row per model request, written before it is sent. */
export interface ModelUsageTable {
  id: string
  /** The turn, or the job that belongs to none. */
  stream_id: string
  step: number
  fence: number
  provider: string
  model: string
  status: 'sent' | 'completed' | 'estimated'
  input_tokens: number
  output_tokens: number
  cost_usd: number | null
  created_at: string
  /** Parts of the counts above; null when the provider did not tell. */
  cached_tokens: number | null
  reasoning_tokens: number | null
  /** Whose budgets pay for it; the user is null once forgotten. */
  key_id: string | null
  user_id: string | null
  agent_id: string | null
  /** Counts against the budgets while the request is in progress. */
  reserved_tokens: Generated<number>
  reserved_cost_usd: number | null
  kind: Generated<'chat' | 'embedding' | 'transcription' | 'speech'>
  /** Seconds of sound that are transcribed, characters that are spoken. */
  units: number | null
}

/** Daily limits of a key or a user; `every_key` and `every_user`, with an empty id, hold the operator's defaults. */
export interface BudgetsTable {
  owner_kind: 'key' | 'user' | 'every_key' | 'every_user'
  owner_id: string
  /** Null: no limit. */
  daily_tokens: number | null
  daily_cost_usd: number | null
  updated_at: string
}

/** What a key or a user has spent in requests that were sent on a day in UTC; written by triggers on `model_usage` only. */
export interface UsageDaysTable {
  owner_kind: 'key' | 'user'
  owner_id: string
  /** `2026-11-29`. */
  day: string
  requests: number
  input_tokens: number
  output_tokens: number
  cost_usd: number
  /** Of requests in progress. */
  reserved_tokens: number
  reserved_cost_usd: number
}

/** The execution log: one row per (workflow, activity, attempt). */
export interface LogEntriesTable {
  id: string
  /** The turn, or the job that belongs to none. */
  stream_id: string
  kind: 'routing' | 'recall' | 'model_call' | 'tool_call' | 'approval' | 'ingestion' | 'memory_write'
  name: string
  status: 'running' | 'completed' | 'failed' | 'cancelled' | 'interrupted'
  workflow_id: string
  activity_id: string
  attempt: number
  started_at: string
  duration_ms: number | null
  input: string | null
  output: string | null
  error: string | null
  usage: string | null
}
