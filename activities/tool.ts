// What a tool is.
import type { ToolDefinition } from '../providers/provider.ts'

export interface Tool extends ToolDefinition {
  server: string
  /** Whether running it twice does no harm: only such a call is repeated after a crash. */
  idempotent: boolean
  /** Gives what the model is told; a thrown ToolError is told to it as well. */
  run(parameters: Record<string, unknown>, signal: AbortSignal): Promise<unknown>
}

/** A failure that the model should hear of and can do something about. */
export class ToolError extends Error {
  override readonly name = 'ToolError'
}
