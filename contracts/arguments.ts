// Validates a value written by a model or a user against an untrusted JSON Schema.
import { Ajv, type ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { jsonBoundsFault } from './json-bounds.ts'
import { parseExact, rounded } from './exact-json.ts'
import { canonicalJson, isObject } from './json.ts'
import { beginPatternBudget, linearPattern } from './linear-pattern.ts'
import { shorten } from './shorten.ts'

const MAX_VALIDATORS = 1_000
const MAX_FAULTS = 20
/** Keyed by the text of the schema: schemas of MCP servers are read from rows, a new object each time. */
const validators = new Map<string, ValidateFunction | undefined>()

/** The parsed arguments, with the digits of their numbers, or a sentence for the model that names the fault. */
export function readArguments(
  tool: { name: string; parameters: Record<string, unknown> },
  text: string,
): { parameters: Record<string, unknown> } | { fault: string } {
  const tooMuch = jsonBoundsFault(Buffer.from(text))
  if (tooMuch !== undefined) return { fault: `Cannot call '${tool.name}': the arguments must be ${tooMuch}` }
  let parameters: unknown
  try {
    parameters = text.trim() === '' ? {} : parseExact(text)
  } catch (error) {
    return {
      fault: `Cannot call '${tool.name}': the arguments must be a JSON object, got text that is not JSON (${(error as Error).message})`,
    }
  }
  if (!isObject(parameters)) return { fault: `Cannot call '${tool.name}': arguments must be object` }
  const fault = faultOf(tool.parameters, rounded(parameters), 'arguments')
  if (fault === undefined) return { parameters }
  return { fault: `Cannot call '${tool.name}': ${fault}` }
}

/** Arguments as they are shown: of a call that is refused as well. The text where it is not JSON, or has too much of it. */
export function shownArguments(text: string): unknown {
  if (text.trim() === '') return {}
  if (jsonBoundsFault(Buffer.from(text)) !== undefined) return text
  try {
    return parseExact(text)
  } catch {
    return text
  }
}

/** The fault of a value as a sentence; undefined when it is valid, or the schema is unusable. @param name name of the value */
export function faultOf(schema: Record<string, unknown>, value: unknown, name: string): string | undefined {
  const validate = validatorOf(schema)
  beginPatternBudget()
  if (!validate || validate(value)) return undefined
  const faults = validate.errors?.slice(0, MAX_FAULTS) ?? []
  return faults.map(({ instancePath, message }) => `${name}${shorten(instancePath)} ${message}`).join(', ')
}

/** Undefined for an unusable schema: then the tool checks its arguments itself. */
function validatorOf(schema: Record<string, unknown>): ValidateFunction | undefined {
  const text = JSON.stringify(schema)
  if (validators.has(text)) return validators.get(text)
  const [oldest] = validators.keys()
  if (validators.size >= MAX_VALIDATORS && oldest !== undefined) validators.delete(oldest)
  const { $schema = '' } = schema
  let validate: ValidateFunction | undefined
  try {
    // A separate instance for each: untrusted schemas may have the same `$id`.
    validate = openAjv(String($schema)).compile(JSON.parse(text) as Record<string, unknown>)
  } catch {
    validate = undefined
  }
  validators.set(text, validate)
  return validate
}

/** A validator of untrusted schemas. @param dialect part of the address of its meta-schema; draft 07 unless it is 2020-12 */
export function openAjv(dialect: string): Ajv {
  const options = {
    allErrors: true,
    strict: false,
    validateFormats: false,
    logger: false,
    // Otherwise each reference is compiled where it stands: minutes for a schema at the bounds.
    inlineRefs: false,
    code: { regExp: linearPattern },
  } as const
  const made = dialect.includes('2020-12') ? new Ajv2020(options) : new Ajv(options)
  // ajv's own implementation is quadratic.
  made.removeKeyword('uniqueItems')
  made.addKeyword({ keyword: 'uniqueItems', type: 'array', schemaType: 'boolean', validate: areUnique })
  return made
}

function areUnique(wanted: boolean, items: unknown[]): boolean {
  return !wanted || new Set(items.map((item) => canonicalJson(item))).size === items.length
}
