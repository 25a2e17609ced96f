// The tools that are built in, and the check of a call's arguments against its schema.
import { Ajv, type ValidateFunction } from 'ajv'
import { currentTime } from './current-time.ts'
import type { Tool } from './tool.ts'

export const BUILT_IN_TOOLS: readonly Tool[] = [currentTime]

const ajv = new Ajv({ allErrors: true, strict: false })
const validators = new WeakMap<Tool, ValidateFunction>()

/** The arguments as the tool takes them, or a sentence for the model that says what is wrong with them. */
export function readArguments(tool: Tool, text: string): { parameters: Record<string, unknown> } | { fault: string } {
  let parameters: unknown
  try {
    parameters = text.trim() === '' ? {} : JSON.parse(text)
  } catch (error) {
    return {
      fault: `Cannot call '${tool.name}': the arguments must be a JSON object, got text that is not JSON (${(error as Error).message})`,
    }
  }
  const validate = validators.get(tool) ?? ajv.compile(tool.parameters)
  validators.set(tool, validate)
  if (validate(parameters)) return { parameters: parameters as Record<string, unknown> }
  return { fault: `Cannot call '${tool.name}': ${ajv.errorsText(validate.errors, { dataVar: 'arguments' })}` }
}
