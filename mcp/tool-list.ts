// Reads what a server lists as its tools one by one: an unusual tool is repaired, one that cannot be is left out with a
// warning, and neither costs the others.
import { isObject } from '../contracts/json.ts'
import { shorten } from '../contracts/shorten.ts'
import { isMissing, kindOf } from './values.ts'

/** Levels of a schema; deeper ones exceed the stack of what serializes and compiles them. */
const MAX_DEPTH = 64
const HINTS = ['readOnlyHint', 'destructiveHint', 'idempotentHint', 'openWorldHint'] as const

type JsonObject = Record<string, unknown>

/** A tool of a server, repaired. */
export interface ListedTool {
  name: string
  description?: string
  /** A JSON Schema whose `type` is `object`. */
  inputSchema: JsonObject
  annotations?: JsonObject
}

export interface ToolListing {
  tools: ListedTool[]
  /** What was left out or changed, as sentences for the operator. */
  warnings: string[]
}

/** @param listed the `tools` of a page, as the server sent them */
export function readTools(listed: unknown): ToolListing {
  if (!Array.isArray(listed))
    return { tools: [], warnings: [`Cannot read its list of tools: 'tools' must be an array, got ${kindOf(listed)}`] }
  const tools: ListedTool[] = []
  const warnings: string[] = []
  for (const [index, each] of listed.entries()) {
    const read = readTool(each)
    const name = isObject(each) && typeof each['name'] === 'string' ? each['name'] : ''
    const label = name === '' ? `tool ${index + 1}` : `the tool '${shorten(name)}'`
    if ('fault' in read) {
      warnings.push(`Cannot offer ${label}: ${read.fault}`)
      continue
    }
    tools.push(read.tool)
    for (const ignored of read.ignored) warnings.push(`Part of ${label} is ignored: ${ignored}`)
  }
  return { tools, warnings }
}

type ToolReading = { fault: string } | { tool: ListedTool; ignored: string[] }

function readTool(given: unknown): ToolReading {
  if (!isObject(given)) return { fault: `it must be an object, got ${kindOf(given)}` }
  const { name, description } = given
  if (typeof name !== 'string') return { fault: `its 'name' must be a string, got ${kindOf(name)}` }
  if (name.trim() === '') return { fault: `its 'name' must not be empty` }
  const schema = readSchema(given['inputSchema'])
  if ('fault' in schema) return schema
  const ignored = [...schema.ignored]
  if (!isMissing(description) && typeof description !== 'string')
    ignored.push(`its 'description' must be a string, got ${kindOf(description)}`)
  const annotations = readAnnotations(given['annotations'], ignored)
  return {
    tool: {
      name,
      ...(typeof description === 'string' && { description }),
      inputSchema: schema.schema,
      ...(annotations && { annotations }),
    },
    ignored,
  }
}

/** The annotations that the protocol names. One that is unreadable counts as not given: the stricter reading of each. */
function readAnnotations(given: unknown, ignored: string[]): JsonObject | undefined {
  if (isMissing(given) || isEmptyArray(given)) return undefined
  if (!isObject(given)) {
    ignored.push(`its 'annotations' must be an object, got ${kindOf(given)}`)
    return undefined
  }
  const read: JsonObject = {}
  for (const [key, kind] of [['title', 'string'], ...HINTS.map((hint) => [hint, 'boolean'])] as [string, string][]) {
    const value = given[key]
    if (isMissing(value)) continue
    if (typeof value === kind) read[key] = value
    else ignored.push(`its 'annotations.${key}' must be a ${kind}, got ${kindOf(value)}`)
  }
  return read
}

type SchemaReading = { fault: string } | { schema: JsonObject; ignored: string[] }

function readSchema(given: unknown): SchemaReading {
  // Languages without a type for empty objects send an empty array.
  if (isMissing(given) || isEmptyArray(given)) return { schema: noParameters(), ignored: [] }
  if (!isObject(given)) return { fault: `its 'inputSchema' must be an object, got ${kindOf(given)}` }
  if (Object.keys(given).length === 0) return { schema: noParameters(), ignored: [] }
  if (isDeeperThan(given, MAX_DEPTH))
    return { fault: `its 'inputSchema' must have at most ${MAX_DEPTH} levels, got more` }
  const { type, properties, required, ...rest } = given
  const isOfObjects = isMissing(type) || type === 'object' || (Array.isArray(type) && type.includes('object'))
  if (!isOfObjects) return { fault: `its 'inputSchema.type' must be 'object', got ${shorten(JSON.stringify(type))}` }
  const ignored: string[] = []
  const schema: JsonObject = { ...rest, type: 'object' }
  if (properties !== undefined) schema['properties'] = readProperties(properties, ignored)
  const names = readRequired(required, ignored)
  if (names) schema['required'] = names
  return { schema, ignored }
}

function readProperties(given: unknown, ignored: string[]): JsonObject {
  if (given === null || isEmptyArray(given)) return {}
  if (!isObject(given)) {
    ignored.push(`its 'inputSchema.properties' must be an object, got ${kindOf(given)}`)
    return {}
  }
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => {
      if (isObject(value) || typeof value === 'boolean') return [name, value]
      if (value !== null && !isEmptyArray(value))
        ignored.push(`its 'inputSchema.properties.${shorten(name)}' must be a schema, got ${kindOf(value)}`)
      return [name, {}]
    }),
  )
}

function readRequired(given: unknown, ignored: string[]): string[] | undefined {
  if (isMissing(given)) return undefined
  const isList = Array.isArray(given) && given.every((name) => typeof name === 'string')
  if (isList) return given
  ignored.push(`its 'inputSchema.required' must be an array of names, got ${kindOf(given)}`)
  return Array.isArray(given) ? given.filter((name) => typeof name === 'string') : undefined
}

function noParameters(): JsonObject {
  return { type: 'object', properties: {} }
}

/** Without recursion: the value may exceed the stack. */
function isDeeperThan(value: unknown, most: number): boolean {
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > most) return true
    level = level.flatMap((each) => (typeof each === 'object' && each !== null ? Object.values(each) : []))
  }
  return false
}

function isEmptyArray(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}
