// The schema of a tool's arguments in a form that every model vendor accepts. Arguments are checked against the original.
import { isObject } from './json.ts'

type Schema = Record<string, unknown>

/** Levels of a schema; deeper ones are offered as "anything". */
const MAX_LEVELS = 16
/** Alternatives at the top level: vendors refuse them there. */
const ALTERNATIVES = ['anyOf', 'oneOf', 'allOf'] as const
/** Keywords whose value is one schema, a list of schemas, or schemas by name. */
const NESTED = ['not', 'if', 'then', 'else', 'additionalProperties', 'contains', 'propertyNames']
const NESTED_LISTS = ['anyOf', 'oneOf', 'allOf', 'prefixItems']
const NESTED_MAPS = ['properties', 'patternProperties', '$defs', 'definitions']

/**
 * An object with `properties` and without alternatives at the top level; no boolean schemas; arrays have `items`.
 * What it leaves out is only offered less precisely.
 */
export function toOfferedSchema(schema: Schema): Schema {
  const offered = simplified(schema, 1)
  const top = Object.fromEntries(
    Object.entries(offered).filter(([name]) => !(ALTERNATIVES as readonly string[]).includes(name)),
  )
  const properties: Schema = {}
  const required = new Set<string>()
  for (const name of ALTERNATIVES) {
    for (const each of (Array.isArray(offered[name]) ? offered[name] : []) as Schema[]) {
      Object.assign(properties, isObject(each['properties']) ? each['properties'] : {})
      // Of alternatives, one has to hold; of `allOf`, each.
      if (name === 'allOf') for (const field of namesIn(each['required'])) required.add(field)
    }
  }
  Object.assign(properties, isObject(top['properties']) ? top['properties'] : {})
  for (const field of namesIn(top['required'])) required.add(field)
  return { ...top, type: 'object', properties, ...(required.size > 0 && { required: [...required] }) }
}

function simplified(schema: unknown, level: number): Schema {
  if (!isObject(schema) || level > MAX_LEVELS) return {}
  const result: Schema = { ...schema }
  for (const name of NESTED) {
    if (typeof result[name] === 'boolean' && name !== 'additionalProperties') delete result[name]
    else if (isObject(result[name])) result[name] = simplified(result[name], level + 1)
  }
  for (const name of NESTED_LISTS) {
    const list = result[name]
    if (Array.isArray(list)) result[name] = list.map((each) => simplified(each, level + 1))
  }
  for (const name of NESTED_MAPS) {
    const map = result[name]
    if (isObject(map))
      result[name] = Object.fromEntries(Object.entries(map).map(([key, each]) => [key, simplified(each, level + 1)]))
  }
  // The old form of `prefixItems` is a list.
  if ('items' in result) result['items'] = simplified(result['items'], level + 1)
  else if (isArrayType(result['type'])) result['items'] = {}
  return result
}

function isArrayType(type: unknown): boolean {
  return type === 'array' || (Array.isArray(type) && type.includes('array'))
}

function namesIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : []
}
