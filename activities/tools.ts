// The tools that are built in, those that an agent's MCP servers add, and the check of a call's arguments against its schema.
import { Ajv, type ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { listToolsOfAgent } from '../db/queries/mcp.ts'
import type { Db } from '../db/schema.ts'
import type { ToolDefinition } from '../providers/provider.ts'
import { currentTime } from './current-time.ts'
import type { Tool } from './tool.ts'

export const BUILT_IN_TOOLS: readonly Tool[] = [currentTime]

/** More tools than this are refused by providers. */
const MAX_OFFERED = 128

/** A tool as a model is offered it, and who has it. */
export interface OfferedTool extends ToolDefinition {
  server: string
  /** What its MCP server calls it; left out for a tool of our own. */
  tool?: string
}

/** Our own tools first, then those of the agent's MCP servers as they were listed last, as many as providers take. */
export async function offerTools(db: Db, agentId: string, own: readonly Tool[]): Promise<OfferedTool[]> {
  const listed = await listToolsOfAgent(db, agentId)
  const foreign = listed.map(({ name, server, tool, description, parameters }) => ({
    name,
    server,
    tool,
    description,
    parameters: JSON.parse(parameters) as Record<string, unknown>,
  }))
  return [...own, ...foreign].slice(0, MAX_OFFERED)
}

/** What must be known of a tool to call it. */
export type CallableTool = Pick<Tool, 'name' | 'parameters' | 'idempotent'>

const MAX_VALIDATORS = 1_000
/** By the text of the schema: the schemas of MCP servers come out of rows, a new object each time. */
const validators = new Map<string, ValidateFunction | undefined>()

/** The arguments as the tool takes them, or a sentence for the model that says what is wrong with them. */
export function readArguments(
  tool: Pick<CallableTool, 'name' | 'parameters'>,
  text: string,
): { parameters: Record<string, unknown> } | { fault: string } {
  let parameters: unknown
  try {
    parameters = text.trim() === '' ? {} : JSON.parse(text)
  } catch (error) {
    return {
      fault: `Cannot call '${tool.name}': the arguments must be a JSON object, got text that is not JSON (${(error as Error).message})`,
    }
  }
  if (typeof parameters !== 'object' || parameters === null || Array.isArray(parameters))
    return { fault: `Cannot call '${tool.name}': arguments must be object` }
  const validate = validatorOf(tool.parameters)
  if (!validate || validate(parameters)) return { parameters: parameters as Record<string, unknown> }
  return { fault: `Cannot call '${tool.name}': ${ajv().errorsText(validate.errors, { dataVar: 'arguments' })}` }
}

/** Undefined for a schema that nobody can follow: then the tool checks its arguments itself. */
function validatorOf(schema: Record<string, unknown>): ValidateFunction | undefined {
  const text = JSON.stringify(schema)
  if (validators.has(text)) return validators.get(text)
  const [oldest] = validators.keys()
  if (validators.size >= MAX_VALIDATORS && oldest !== undefined) validators.delete(oldest)
  const { $schema = '' } = schema
  let validate: ValidateFunction | undefined
  try {
    // One of its own for each: schemas of strangers may have the same `$id`.
    validate = ajv(String($schema)).compile(JSON.parse(text) as Record<string, unknown>)
  } catch {
    validate = undefined
  }
  validators.set(text, validate)
  return validate
}

function ajv(dialect = ''): Ajv {
  const options = { allErrors: true, strict: false, validateFormats: false, logger: false } as const
  return dialect.includes('2020-12') ? new Ajv2020(options) : new Ajv(options)
}
