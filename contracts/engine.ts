// Every name shared through Temporal: workflows and their ids, task queues, search attributes, and the workflows' inputs and
// results.
// Payloads hold ids, names, counts and typed errors only; text travels by reference to a row.

export const TASK_QUEUE = 'muxi'
/** Parsing and transcoding: concurrency is the number of cores. */
export const MEDIA_TASK_QUEUE = 'muxi-media'
/** Connections to MCP servers: the worker that takes one owns it. */
export const MCP_TASK_QUEUE = 'muxi-mcp'
/** Calls to the MCP servers that one worker owns. */
export const mcpTaskQueue = (workerId: string) => `${MCP_TASK_QUEUE}-${workerId}`

export const workflowId = {
  chatTurn: (turnId: string) => `turn/${turnId}`,
  toolCall: (turnId: string, callId: string) => `tool/${turnId}/${callId}`,
  job: (jobId: string) => `job/${jobId}`,
  mcpServer: ({ agent_id, name }: McpServerRef) => `mcp/${agent_id}/${name}`,
}

/** Search attributes, all keywords; `MuxiUser` is an HMAC, because search attributes are stored in the clear. */
export const SEARCH_ATTRIBUTES = ['MuxiKind', 'MuxiAgent', 'MuxiConversation', 'MuxiUser'] as const

export type OnBusy = 'queue' | 'reject' | 'interrupt'

/** Search attribute values of every workflow. */
export interface Labels {
  agent_id: string
  conversation_id: string
  user_hash: string
}

/** Input of a turn's workflow; at most 2 kB. */
export interface TurnInput extends Labels {
  turn_id: string
  /** The agent version that the turn uses throughout. */
  agent_version: number
  /** In the order in which they are asked. */
  models: ModelRef[]
  max_steps: number
  max_tokens: number
  /** Active time: waiting for users is not counted. */
  deadline_ms: number
  /** Ingestion jobs of the message's attachments; omitted when there are none. */
  jobs?: { id: string; kind: JobKind }[]
}

export type TurnStatus = 'pending' | 'queued' | 'running' | 'awaiting_approval' | 'completed' | 'failed' | 'cancelled'
export type FinalStatus = Extract<TurnStatus, 'completed' | 'failed' | 'cancelled'>

/** A model of an agent's chain, by its place in the agent's version: credentials never travel. */
export interface ModelRef {
  provider: string
  model: string
}

export interface ModelCallInput {
  turn_id: string
  agent_id: string
  agent_version: number
  step: number
  /** Which model of the chain, from 0. */
  model: number
}

export interface PlannedCall {
  call_id: string
  name: string
  /** The MCP server of the tool; omitted for a built-in tool. */
  server?: string
}

/** Names its row, so that our codec endpoint can show its text in the Temporal UI. */
export interface ModelCallResult {
  turn_id: string
  step: number
  /** `ended`: the turn is over, as `status` says. */
  finish: 'ended' | 'tool_calls'
  /** Only with `ended`. */
  status?: FinalStatus
  calls: PlannedCall[]
  input_tokens: number
  output_tokens: number
}

export interface ToolCallInput extends Labels, PlannedCall {
  turn_id: string
}

/** One attempt to make a call in the worker that owns its server. */
export interface McpCallInput extends ToolCallInput {
  server: string
  /** From 1; a later round fences off earlier ones. */
  round: number
}

export interface McpServerRef {
  agent_id: string
  name: string
}

/**
 * `waiting`: no owner yet. `idle`: its program is not running and is started when needed. `reconnecting`: it failed, and is
 * retried later. `needs_sign_in`: an operator must sign in first.
 */
export type McpServerState = 'waiting' | 'idle' | 'connecting' | 'connected' | 'reconnecting' | 'needs_sign_in'

/** Why a worker no longer owns an MCP server. */
export type McpRelease = 'removed' | 'changed' | 'taken'

/** Kinds of approvals: of a tool call, a question of a server, a sign-in. */
export type ApprovalKind = 'tool' | 'question' | 'sign_in'
export type ApprovalDecision = 'approve' | 'deny' | 'answer'

/** Signals of an activity to its call: the server has asked a question, or has got the answer. */
export const QUESTION_SIGNALS = { asked: 'asked', decided: 'decided' } as const

/** Sent by a call to its turn, whose deadline is paused while all of its calls wait for users. */
export interface ParkedCall {
  call_id: string
  waits: boolean
}

/**
 * The state of a call to an MCP server: ended, waiting for a decision, or ready to be made by the owner of the server, if there is
 * one; `patience_ms` is how long to wait for a server that is connecting.
 */
export type McpCallState =
  | { result: ToolCallResult }
  | { approval_id: string }
  | { queue?: string; patience_ms?: number }

export interface ToolCallResult {
  turn_id: string
  call_id: string
  /** `invalid`: the arguments did not match the tool's schema; the tool did not run. */
  outcome: 'done' | 'error' | 'invalid' | 'unknown' | 'cancelled'
}

export interface FinishInput {
  turn_id: string
  status: FinalStatus
  /** Only for `failed`: a code of the contract and where to find the words (the failure row of the step). */
  failure?: TurnFailure
}

/** A failure that is safe in history: muxi's own text, never that of a provider or a user. */
export interface TurnFailure {
  code: 'upstream_error' | 'internal_error' | 'unavailable' | 'budget_exceeded' | 'unprocessable'
  message: string
  details?: Record<string, string | number>
}

export type JobStatus = 'queued' | 'running' | 'completed' | 'failed' | 'cancelled'
export type JobKind = 'document' | 'image' | 'audio'
export type JobStage =
  | 'waiting'
  | 'inspecting'
  | 'preparing'
  | 'parsing'
  | 'describing'
  | 'reading'
  | 'transcribing'
  | 'indexing'
  | 'summarizing'
  | 'publishing'
  | 'retrying'
  | 'done'

/** The workflow of each kind. */
export const JOB_WORKFLOWS = { document: 'ingestDocument', image: 'ingestImage', audio: 'ingestAudio' } as const

/** `agent_id` and `conversation_id` are empty if the job has none. */
export interface JobInput extends Labels {
  job_id: string
  /** The run of the job, from 1. */
  run: number
}

export type JobRef = Pick<JobInput, 'job_id' | 'run'>
export type BatchRef = JobRef & { batch: number }
/** `model`: which of the chain is asked, from 0. */
export type SummaryPartRef = JobRef & { level: number; part: number; last: boolean; model: number }

/** The result of `beginJob`, the input of the workflow's decisions. */
export type JobClaim = { claimed: false } | { claimed: true; indexed: boolean; summarize?: true }

export interface FinishJobInput extends JobRef {
  status: 'failed' | 'cancelled'
  failure?: TurnFailure
}

/** `type` of the ApplicationFailures that activities throw. */
export const FAILURE = {
  final: 'UpstreamFinal',
  retry: 'UpstreamRetry',
  internal: 'Internal',
  stopped: 'Stopped',
  /** The call was not made: it may be retried, in another worker or once its server is back. */
  again: 'Again',
  /** The call was not made: it waits for the decision whose `approval_id` is the first detail. */
  parked: 'Parked',
  /** The call was interrupted, and may be made again. */
  broken: 'Broken',
} as const
