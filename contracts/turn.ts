// A turn: its states, and the inputs and results of its workflow, its model calls and its tool calls.
import type { TurnFailure } from './failures.ts'
import type { JobKind } from './job.ts'
import type { Labels } from './temporal.ts'

export type OnBusy = 'queue' | 'reject' | 'interrupt'

/** Input of a turn's workflow; at most 2 kB. */
export interface TurnInput extends Labels {
  turn_id: string
  /** The agent version that the turn uses throughout; 0 until the orchestrator has chosen the agent, which is `auto` so long. */
  agent_version: number
  /** In the order in which they are asked. */
  models: ModelRef[]
  max_steps: number
  max_tokens: number
  /** Active time: waiting for users is not counted. */
  deadline_ms: number
  /** Ingestion jobs of the message's attachments; omitted when there are none. */
  jobs?: { id: string; kind: JobKind }[]
  /** Of a turn that another agent asked for: the id of the call. */
  parent_call_id?: string
}

/** How a call reaches another agent: it asks and gets the answer, or hands the turn over. */
export type AgentCall = 'ask' | 'handoff'

export type TurnStatus = 'pending' | 'queued' | 'running' | 'awaiting_approval' | 'completed' | 'failed' | 'cancelled'
export type FinalStatus = Extract<TurnStatus, 'completed' | 'failed' | 'cancelled'>

/** A model of an agent's chain, by its place in the agent's version: credentials never travel. */
export interface ModelRef {
  provider: string
  model: string
  /** Its place in the agent's version, where that is not its place in the order of asking. */
  place?: number
}

export interface ModelCallInput {
  turn_id: string
  agent_id: string
  agent_version: number
  step: number
  /** Which model in the order of asking, from 0. */
  model: number
  /** Its place in the agent's version; the same when left out. */
  place?: number
}

export interface PlannedCall {
  call_id: string
  name: string
  /** The MCP server of the tool; omitted for a built-in tool. */
  server?: string
  /** Of a call that reaches another agent, which its row names. */
  agent_call?: AgentCall
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

/** Sent by a call to its turn, whose deadline is paused while all of its calls wait for users. */
export interface ParkedCall {
  call_id: string
  waits: boolean
}

export interface ToolCallResult {
  turn_id: string
  call_id: string
  /** `invalid`: the arguments did not match the tool's schema; the tool did not run. */
  outcome: 'done' | 'error' | 'invalid' | 'unknown' | 'cancelled'
  /** Tokens that a turn used which the call asked for. */
  tokens?: number
}

/** A call that asks another agent: ended, or to be made by this turn. */
export type AskState = { result: ToolCallResult } | { turn: TurnInput }

/** A call that hands the turn over; without an agent it was refused. */
export interface HandoffResult extends ToolCallResult {
  agent?: Pick<TurnInput, 'agent_id' | 'agent_version' | 'models'>
}

export interface FinishInput {
  turn_id: string
  status: FinalStatus
  /** Only for `failed`: a code of the contract and where to find the words (the failure row of the step). */
  failure?: TurnFailure
}
