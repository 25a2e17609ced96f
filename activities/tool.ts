// What a tool is.
import type { ToolDefinition } from '../providers/provider.ts'

export interface Tool extends ToolDefinition {
  server: string
  /** Whether running it twice does no harm: only such a call is repeated after a crash. */
  idempotent: boolean
  /** Gives what the model is told; a thrown ToolError is told to it as well. */
  run(parameters: Record<string, unknown>, signal: AbortSignal, context: ToolContext): Promise<unknown>
  /** Offered only where there are documents to search. */
  needs?: 'documents'
}

/** In whose name a tool is run. */
export interface ToolContext {
  agent_id: string
  conversation_id: string
}

/** A failure that the model should hear of and can do something about. */
export class ToolError extends Error {
  override readonly name = 'ToolError'
}
