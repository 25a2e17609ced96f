// An MCP server of an agent: its states, and calls to it.
import type { ToolCallInput, ToolCallResult } from './turn.ts'

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

/**
 * The state of a call to an MCP server: ended, waiting for a decision, or ready to be made by the owner of the server, if there is
 * one; `patience_ms` is how long to wait for a server that is connecting.
 */
export type McpCallState =
  | { result: ToolCallResult }
  | { approval_id: string }
  | { queue?: string; patience_ms?: number }
