// Conversations, their turns, and what a turn does: messages, model steps, tool calls, approvals, recalled passages.
import type { Generated } from 'kysely'
import type { ApprovalDecision, ApprovalKind } from '../../contracts/approval.ts'
import type { AgentCall, OnBusy, TurnStatus } from '../../contracts/turn.ts'
import type { FinishReason } from '../../contracts/model-messages.ts'

export interface ConversationsTable {
  id: string
  agent_id: string
  user_id: string
  title: string | null
  /** `<user>/<agent>` for the default conversation of messages without one; unique. */
  default_for: string | null
  /** The client's name of it; unique among those of the user with the agent. */
  external_id: Generated<string | null>
  /** 1: left out of lists unless asked for. */
  archived: Generated<number>
  created_at: string
  /**
   * The conversation that this one is hidden in: that of the turn whose agent asked the agent of this one, at the root. Itself, of a turn
   * that brings its whole conversation.
   */
  hidden_in: string | null
}

export interface TurnsTable {
  id: string
  conversation_id: string
  /** `auto`, with version 0, until the orchestrator has chosen. */
  agent_id: string
  agent_version: number
  user_id: string
  key_id: string | null
  status: TurnStatus
  on_busy: OnBusy
  /** The user's message, and the id that the reply will have. */
  user_message_id: string
  message_id: string
  response_schema: string | null
  run_id: string | null
  cancel_requested_at: string | null
  error: string | null
  usage: string | null
  /** Why the model ended the reply: of a completed turn, unless it ended before this was recorded. */
  finish_reason: FinishReason | null
  created_at: string
  /** Null until the message is accepted: a waiting turn at once, an active one when its workflow is started. */
  accepted_at: string | null
  /** Null while the turn waits for others of its conversation. At most one active turn is unfinished. */
  activated_at: string | null
  started_at: string | null
  /** The first claim, and whether it accepted the turn; read by the claim itself. */
  first_claim: string | null
  finished_at: string | null
  /** How sure the orchestrator was of the agent, from 0 to 1; null when the client named the agent. */
  routing_confidence: number | null
  /** 1 when its end leaves a row in `memory_outbox`. */
  remembers: number
  /** The turn and its tool call that asked for this one; null for a turn that a client asked for. */
  parent_turn_id: string | null
  parent_call_id: string | null
  /** The turn of the client, and its call that led here. */
  root_turn_id: string | null
  root_call_id: string | null
  /** How many turns are above it. */
  depth: number
  /** The turn whose message has replaced this one's, or one before it: the turn is left out of prompts and pages. */
  superseded_by: string | null
}

/** What a message brought that continues no conversation here: its own earlier messages, instructions and tools. */
export interface TurnRequestsTable {
  turn_id: string
  /** JSON: a CarriedRequest. */
  request: string
}

export interface MessagesTable {
  id: string
  conversation_id: string
  turn_id: string
  role: 'user' | 'assistant'
  content: string
  status: 'completed' | 'cancelled' | 'failed'
  attachments: string | null
  created_at: string
  /** The client's name of a message of the user: after an edit, another message has the same one. */
  external_id: Generated<string | null>
}

/** The complete output of a model in one step of a turn. */
export interface ModelStepsTable {
  turn_id: string
  step: number
  content: string
  provider: string
  model: string
  input_tokens: number
  output_tokens: number
  /** JSON array of StoredPart, when the reply has more than text and calls: reasoning, or metadata of the provider. */
  parts: string | null
}

export interface ToolCallsTable {
  turn_id: string
  call_id: string
  step: number
  position: number
  name: string
  server: string
  /** The provider's id of the call, sent back with the result. */
  provider_call_id: string
  /** As the model wrote them, possibly invalid JSON; or as changed by the approval. */
  arguments: string
  /**
   * `started` is the ledger row: it is written just before the call, and at most once while it exists. `returned`: a tool of the caller,
   * which gets the call.
   */
  status: 'planned' | 'started' | 'done' | 'error' | 'invalid' | 'unknown' | 'cancelled' | 'returned'
  output: string | null
  started_at: string | null
  finished_at: string | null
  /** The tool's name on its MCP server; null for a built-in tool. */
  tool: string | null
  /** JSON array of the images in the result: `{media_type, sha256}`, blobs of the turn's user. */
  images: string | null
  /** Of a call that asks another agent or hands over to it: which of the two, and the agent. */
  agent_call: AgentCall | null
  to_agent: string | null
  /** The turn of the agent that was asked. */
  child_turn_id: string | null
}

/** An approval that a turn waits for. The row is authoritative: workflows are only signalled that it has changed. */
export interface ApprovalsTable {
  id: string
  turn_id: string
  /** The tool call that waits. */
  call_id: string
  /** The key of the approval within the call: a request by another attempt is the same row. */
  place: string
  user_id: string
  agent_id: string
  kind: ApprovalKind
  name: string
  server: string
  /** JSON: the displayed arguments. */
  parameters: string | null
  /** The hash of the displayed tool; the approval is valid only for this hash. */
  tool_hash: string | null
  /** 1 when the tool has changed since its server was configured. */
  drifted: Generated<number>
  /** JSON Schema of the answer. */
  schema: string | null
  url: string | null
  message: string | null
  /** `cancelled`: the decision is no longer needed. */
  status: 'waiting' | 'decided' | 'cancelled'
  decision: ApprovalDecision | null
  /** JSON: the changed arguments. */
  arguments: string | null
  /** JSON. */
  answer: string | null
  reason: string | null
  /** The key. */
  decided_by: string | null
  created_at: string
  decided_at: string | null
  /** When the waiting call has read the decision; until then the signal is sent again. */
  taken_at: string | null
  /** Of a turn that another agent asked for: the client's turn and its call that led here, where the approval is shown. */
  root_turn_id: string | null
  root_call_id: string | null
}

/** What was recalled for a turn: the same in every step and attempt. */
export interface RecallsTable {
  turn_id: string
  passages: string
  /** JSON: messages of earlier; null before memory existed. */
  memories: string | null
  /** JSON: the context memory of the user as it was. */
  about_user: string | null
  created_at: string
}

export interface EngineStateTable {
  name: 'turn_engine'
  value: string
}
