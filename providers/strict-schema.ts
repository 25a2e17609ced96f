// The JSON Schema of an answer in the form that vendors enforce: closed objects. Answers are checked against the original.
import { isObject } from '../contracts/json.ts'

type Schema = Record<string, unknown>

/** Keywords that vendors do not enforce, and some refuse. */
const DROPPED = [
  '$schema',
  '$id',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minLength',
  'maxLength',
  'pattern',
  'minItems',
  'maxItems',
  'uniqueItems',
  'minProperties',
  'maxProperties',
  'default',
  'examples',
]
const MAX_LEVELS = 32

/** @param allRequired makes every property required, as OpenAI's strict mode demands; those that were not may be null */
export function strictSchema(schema: unknown, allRequired = false, level = 1): Schema {
  if (!isObject(schema) || level > MAX_LEVELS) return {}
  const next = (each: unknown) => strictSchema(each, allRequired, level + 1)
  const result: Schema = Object.fromEntries(
    Object.entries(schema)
      .filter(([name]) => !DROPPED.includes(name))
      .map(([name, value]) => {
        if (['properties', '$defs', 'definitions'].includes(name) && isObject(value))
          return [name, Object.fromEntries(Object.entries(value).map(([key, each]) => [key, next(each)]))]
        if (['anyOf', 'oneOf', 'allOf', 'prefixItems'].includes(name) && Array.isArray(value))
          return [name === 'oneOf' ? 'anyOf' : name, value.map(next)]
        return [name, name === 'items' ? next(value) : value]
      }),
  )
  if (result['type'] !== 'object' && !isObject(result['properties'])) return result
  const properties = isObject(result['properties']) ? result['properties'] : {}
  const given = Array.isArray(result['required']) ? (result['required'] as unknown[]) : []
  const open = Object.keys(properties).filter((name) => !given.includes(name))
  if (!allRequired || open.length === 0) return { ...result, type: 'object', additionalProperties: false }
  const nullable = Object.fromEntries(open.map((name) => [name, orNull(properties[name])]))
  return {
    ...result,
    type: 'object',
    properties: { ...properties, ...nullable },
    required: Object.keys(properties),
    additionalProperties: false,
  }
}

function orNull(schema: unknown): unknown {
  return isObject(schema) && JSON.stringify(schema).includes('"null"') ? schema : { anyOf: [schema, { type: 'null' }] }
}
