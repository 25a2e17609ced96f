// The interface of a built-in tool.
import type { ToolDefinition } from '../../providers/provider.ts'

export interface Tool extends ToolDefinition {
  server: string
  /** Whether it may safely run twice: only such a call is repeated after a crash. */
  idempotent: boolean
  /** Returns the text for the model; a thrown ToolError is passed to it as well. */
  run(parameters: Record<string, unknown>, signal: AbortSignal, context: ToolContext): Promise<unknown>
  /** Offered only where there are documents to search. */
  needs?: 'documents'
}

/** The user and turn that a tool runs for. */
export interface ToolContext {
  turn_id: string
  agent_id: string
  conversation_id: string
}

/** A failure that is passed to the model, which can react to it. */
export class ToolError extends Error {
  override readonly name = 'ToolError'
}
