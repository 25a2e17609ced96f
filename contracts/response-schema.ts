// What the JSON Schema of structured output must be: it is stored with the turn and sent with each model call.
import type { Ajv } from 'ajv'
import { openAjv } from './arguments.ts'
import { isObject } from './json.ts'
import { shorten } from './shorten.ts'

const MAX_BYTES = 65_536
const MAX_DEPTH = 32
const MAX_KEYS = 2_000

/** The expectation that a response schema violates; undefined when it is a JSON Schema within the bounds. */
export function responseSchemaFault(schema: Record<string, unknown>): string | undefined {
  let keys = 0
  let level: unknown[] = [schema]
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) return `a JSON Schema of at most ${MAX_DEPTH} levels`
    const next: unknown[] = []
    for (const value of level) {
      if (typeof value !== 'object' || value === null) continue
      const inner = Object.values(value)
      if (!Array.isArray(value)) keys += inner.length
      if (keys > MAX_KEYS) return `a JSON Schema of at most ${MAX_KEYS} keys`
      for (const each of inner) next.push(each)
    }
    level = next
  }
  const bytes = Buffer.byteLength(JSON.stringify(schema))
  if (bytes > MAX_BYTES) return `a JSON Schema of at most ${MAX_BYTES} bytes`
  return metaFault(schema) ?? referenceFault(schema)
}

/** Validators of schemas, by dialect; made when they are first needed. */
const metaSchemas = new Map<string, Ajv>()
/** Keywords whose values are no schemas. */
const VALUES = ['const', 'enum', 'default', 'examples']

/** It is not compiled: that takes a second for a schema at the bounds. Those of other dialects are not validated. */
function metaFault({ $schema, ...schema }: Record<string, unknown>): string | undefined {
  const [dialect] = typeof $schema === 'string' ? (/draft-0[67]|2020-12/.exec($schema) ?? []) : ['draft-07']
  if (dialect === undefined) return undefined
  const ajv = metaSchemas.get(dialect) ?? openAjv(dialect)
  metaSchemas.set(dialect, ajv)
  if (ajv.validateSchema(schema) === true) return undefined
  const { instancePath = '', message = 'be valid' } = ajv.errors?.[0] ?? {}
  const place = shorten(instancePath.slice(1).replaceAll('/', '.'))
  return place === '' ? `a JSON Schema, which ${message}` : `a JSON Schema, in which '${place}' ${message}`
}

/** Pointers are followed; names of parts, and a schema that has several bases, are taken as they are. */
function referenceFault(schema: Record<string, unknown>): string | undefined {
  const references = new Set<string>()
  let hasIds = false
  const left: unknown[] = [schema]
  for (let each = left.pop(); each !== undefined; each = left.pop()) {
    if (Array.isArray(each)) left.push(...(each as unknown[]).filter((item) => item !== undefined))
    if (!isObject(each) || Array.isArray(each)) continue
    hasIds ||= typeof each['$id'] === 'string'
    if (typeof each['$ref'] === 'string') references.add(each['$ref'])
    for (const [key, value] of Object.entries(each)) if (!VALUES.includes(key)) left.push(value)
  }
  const missing = [...references].find((reference) => !hasIds && !isNamed(reference) && !has(schema, reference))
  return missing === undefined
    ? undefined
    : `a JSON Schema that has what its references name, got '${shorten(missing)}'`
}

function isNamed(reference: string): boolean {
  return /^(#[^/]|https?:\/\/json-schema\.org\/)/.test(reference)
}

/** @param pointer `#` and a JSON pointer, encoded as in a URL */
function has(schema: unknown, pointer: string): boolean {
  if (!pointer.startsWith('#')) return pointer === ''
  let at = schema
  for (const part of pointer.split('/').slice(1)) {
    const key = decoded(part).replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return false
    at = (at as Record<string, unknown>)[key]
  }
  return true
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
