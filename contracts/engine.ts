// Every name that crosses Temporal: workflows and their ids, task queues, search attributes, and what the workflows take and give.
// Payloads hold ids, names, counts and typed errors only; text travels by reference to a row.

export const TASK_QUEUE = 'muxi'
/** Parsing and transcoding: as many at once as there are cores. */
export const MEDIA_TASK_QUEUE = 'muxi-media'
/** Connections to MCP servers: whoever takes one holds it. */
export const MCP_TASK_QUEUE = 'muxi-mcp'
/** Calls to the MCP servers that one worker holds. */
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

/** What is said of every workflow in its search attributes. */
export interface Labels {
  agent_id: string
  conversation_id: string
  user_hash: string
}

/** What the workflow of a turn decides with; at most 2 kB. */
export interface TurnInput extends Labels {
  turn_id: string
  /** The agent's version that the turn keeps. */
  agent_version: number
  /** In the order in which they are asked. */
  models: ModelRef[]
  max_steps: number
  max_tokens: number
  /** Active time: waiting for people is not counted. */
  deadline_ms: number
  /** Ingestions of what is attached to the message; left out when nothing is. */
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
  /** The MCP server that has the tool; left out for a tool of our own. */
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

/** One try to make a call where its server is held. */
export interface McpCallInput extends ToolCallInput {
  server: string
  /** From 1; a later one fences off those before it. */
  round: number
}

export interface McpServerRef {
  agent_id: string
  name: string
}

/**
 * `waiting`: no worker holds it yet. `idle`: its program is not running and is started when it is needed. `reconnecting`: it failed, and is
 * tried again after a while. `needs_sign_in`: an operator has to, first.
 */
export type McpServerState = 'waiting' | 'idle' | 'connecting' | 'connected' | 'reconnecting' | 'needs_sign_in'

/** Why a worker no longer holds an MCP server. */
export type McpRelease = 'removed' | 'changed' | 'taken'

/** What a turn may wait for people to decide: whether a call may be made, what a server asks, a sign-in. */
export type ApprovalKind = 'tool' | 'question' | 'sign_in'
export type ApprovalDecision = 'approve' | 'deny' | 'answer'

/** With which an activity tells its call that the server has a question, and that it has its answer. */
export const QUESTION_SIGNALS = { asked: 'asked', decided: 'decided' } as const

/** Sent by a call to its turn, whose deadline is paused while all of its calls wait for people. */
export interface ParkedCall {
  call_id: string
  waits: boolean
}

/**
 * How a call to an MCP server stands: over already, waiting for a decision, or to be made where the server is held, if anybody holds
 * it; `patience_ms` is how long to wait for one that is being connected.
 */
export type McpCallState =
  | { result: ToolCallResult }
  | { approval_id: string }
  | { queue?: string; patience_ms?: number }

export interface ToolCallResult {
  turn_id: string
  call_id: string
  /** `invalid`: the arguments did not fit the tool's schema, nothing was run. */
  outcome: 'done' | 'error' | 'invalid' | 'unknown' | 'cancelled'
}

export interface FinishInput {
  turn_id: string
  status: FinalStatus
  /** Only for `failed`: a code of the contract and where to find the words (the failure row of the step). */
  failure?: TurnFailure
}

/** A failure that is safe to stand in history: made by us, never a provider's or a person's words. */
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

/** The workflow that ingests each. */
export const JOB_WORKFLOWS = { document: 'ingestDocument', image: 'ingestImage', audio: 'ingestAudio' } as const

/** `agent_id` and `conversation_id` are empty where a job has none. */
export interface JobInput extends Labels {
  job_id: string
  /** Which try of the job this is, from 1. */
  run: number
}

export type JobRef = Pick<JobInput, 'job_id' | 'run'>
export type BatchRef = JobRef & { batch: number }
/** `model`: which of the chain is asked, from 0. */
export type SummaryPartRef = JobRef & { level: number; part: number; last: boolean; model: number }

/** What `beginJob` gives the workflow to decide with. */
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
  /** The call was not made: it may be, elsewhere, or once its server is back. */
  again: 'Again',
  /** The call was not made: it waits for the decision whose `approval_id` is the first detail. */
  parked: 'Parked',
  /** The call broke off, and may be made again. */
  broken: 'Broken',
} as const
