// What turns and jobs record: usage of each model request, the execution log.

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
