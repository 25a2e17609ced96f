// Validation faults of a value: the path of each invalid field and the expectation of its schema.
import { Kind, type TSchema } from '@sinclair/typebox'
import { Value, type ValueError, ValueErrorType } from '@sinclair/typebox/value'

/** One invalid field. It contains no value, so that a secret cannot reach a message through it. */
export interface SchemaFault {
  path: (string | number)[]
  kind: 'missing' | 'unknown' | 'wrong'
  /** Completes "'<path>' must be …". */
  expected: string
}

/** Limit of reported faults: a small body may have very many. */
const MAX_FAULTS = 20

/** The first 20 faults of `value`, at most one per field, in unspecified order. */
export function schemaFaults(schema: TSchema, value: unknown): SchemaFault[] {
  return faultsOf(Value.Errors(schema, value), value)
}

/** A path in dotted notation: `model.fallbacks.0.api_key`. */
export function dotted(path: readonly (string | number)[]): string {
  return path.join('.')
}

const TOO_LONG: ReadonlySet<ValueErrorType> = new Set([
  ValueErrorType.ArrayMaxItems,
  ValueErrorType.ObjectMaxProperties,
])

function faultsOf(errors: Iterable<ValueError>, value: unknown): SchemaFault[] {
  const found = new Map<string, SchemaFault>()
  for (const error of errors) {
    for (const fault of explain(error, value)) {
      const at = dotted(fault.path)
      // A missing field is reported twice, as missing and as having the wrong type: the first is the clearer one.
      if (!found.has(at)) found.set(at, fault)
      if (found.size === MAX_FAULTS) return [...found.values()]
    }
    // A value that is too long is not validated further.
    if (TOO_LONG.has(error.type)) break
  }
  return [...found.values()]
}

function explain(error: ValueError, value: unknown): SchemaFault[] {
  const path = toPath(error.path, value)
  if (error.type === ValueErrorType.ObjectRequiredProperty) {
    return [{ path, kind: 'missing', expected: `given (${expectation(error.schema)})` }]
  }
  if (error.type === ValueErrorType.ObjectAdditionalProperties) {
    return [{ path, kind: 'unknown', expected: allowedKeys(error.schema) }]
  }
  const { anyOf } = error.schema
  if (error.type === ValueErrorType.Union && !(anyOf as TSchema[]).every(isScalar)) {
    // Reports the faults of the closest variant.
    const variants = error.errors.map((inner) => faultsOf(inner, value))
    const closest = variants.toSorted((a, b) => score(a, path) - score(b, path))[0]
    if (closest !== undefined) return closest
  }
  return [{ path, kind: 'wrong', expected: expectation(error.schema) }]
}

/** The distance of a variant from the value; one of another type is farthest. */
function score(faults: SchemaFault[], unionPath: (string | number)[]): number {
  return faults.some((fault) => fault.path.length === unionPath.length) ? Infinity : faults.length
}

function expectation(schema: TSchema): string {
  const { anyOf, const: literal, pattern, description, minLength = 0, maxLength, minimum, maximum, maxItems } = schema
  if (anyOf !== undefined) {
    const variants: TSchema[] = anyOf
    if (!variants.every(isLiteral)) return [...new Set(variants.map(expectation))].join(' or ')
    return `one of ${variants.map((variant) => `'${variant['const']}'`).join(', ')}`
  }
  if (literal !== undefined) return `'${literal}'`
  switch (schema[Kind]) {
    case 'String':
      if (pattern !== undefined && description !== undefined) return description
      if (maxLength !== undefined) return `text of ${minLength} to ${maxLength} characters`
      return minLength > 0 ? 'text that is not empty' : 'text'
    case 'Number':
      return minimum === undefined ? 'a number' : `a number from ${minimum} to ${maximum}`
    case 'Integer':
      return minimum === undefined ? 'a whole number' : `a whole number from ${minimum} to ${maximum}`
    case 'Null':
      return 'null'
    case 'Boolean':
      return 'true or false'
    case 'Array':
      return maxItems === undefined ? 'a list' : `a list of at most ${maxItems}`
    case 'Object':
      return `an object with the keys ${keysOf(schema)}`
    case 'Record':
      return 'an object of names and values'
  }
  return 'something else'
}

function isLiteral(schema: TSchema): boolean {
  return 'const' in schema
}

function isScalar(schema: TSchema): boolean {
  return isLiteral(schema) || schema[Kind] === 'Integer'
}

function keysOf({ properties }: TSchema): string {
  return Object.keys(properties).join(', ')
}

function allowedKeys(schema: TSchema): string {
  // The key pattern of a record has no description.
  return schema[Kind] === 'Record' ? "named with letters, digits, '_' or '-'" : `one of the keys ${keysOf(schema)}`
}

/** A JSON pointer as a path, with numbers for list indexes. */
function toPath(pointer: string, value: unknown): (string | number)[] {
  let at: unknown = value
  return pointer
    .split('/')
    .slice(1)
    .map((part) => {
      const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
      const step = Array.isArray(at) ? Number(key) : key
      at = typeof at === 'object' && at !== null ? (at as Record<string | number, unknown>)[step] : undefined
      return step
    })
}
