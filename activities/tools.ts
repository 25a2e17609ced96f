// The tools that are built in, what a tool is, and the check of a call's arguments against its schema.
import { Ajv, type ValidateFunction } from 'ajv'
import type { ToolDefinition } from '../providers/provider.ts'
import { currentTime } from './current-time.ts'

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

export const BUILT_IN_TOOLS: readonly Tool[] = [currentTime]

const ajv = new Ajv({ allErrors: true, strict: false })
const validators = new WeakMap<Tool, ValidateFunction>()

/** The arguments as the tool takes them, or a sentence for the model that says what is wrong with them. */
export function readArguments(tool: Tool, text: string): { parameters: Record<string, unknown> } | { fault: string } {
  let parameters: unknown
  try {
    parameters = text.trim() === '' ? {} : JSON.parse(text)
  } catch (error) {
    return { fault: `Cannot call '${tool.name}': the arguments must be a JSON object, got text that is not JSON (${(error as Error).message})` }
  }
  const validate = validators.get(tool) ?? ajv.compile(tool.parameters)
  validators.set(tool, validate)
  if (validate(parameters)) return { parameters: parameters as Record<string, unknown> }
  return { fault: `Cannot call '${tool.name}': ${ajv.errorsText(validate.errors, { dataVar: 'arguments' })}` }
}
