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
    const allowed = allowedKeys(error.schema)
    return [
      allowed === '' ? { path, kind: 'wrong', expected: 'left out' } : { path, kind: 'unknown', expected: allowed },
    ]
  }
  if (error.type === ValueErrorType.Union) return explainUnion(error, path, value)
  return [{ path, kind: 'wrong', expected: expectation(error.schema) }]
}

/** The faults of the variant that is meant, or of the union as a whole when none is. */
function explainUnion({ schema, errors, value: given }: ValueError, path: SchemaFault['path'], value: unknown) {
  const variants: TSchema[] = schema['anyOf']
  const whole: SchemaFault[] = [{ path, kind: 'wrong', expected: expectation(schema) }]
  const faults = errors.map((inner) => faultsOf(inner, value))
  const key = discriminator(variants)
  if (key === undefined || !isObject(given)) {
    // The closest variant; one that is of another type is not meant.
    const [closest] = faults.toSorted((a, b) => a.length - b.length).filter((each) => isWithin(each, path))
    return closest ?? whole
  }
  const named = variants.map((variant) => literalsOf(variant['properties']?.[key]))
  const meant = named.findIndex((literals) => literals?.includes(given[key]))
  const candidates = faults.filter((each) => isWithin(each, path))
  if (meant >= 0) return faults[meant] ?? whole
  const expected = `one of ${quoted(named.flatMap((literals) => literals ?? []))}`
  if (key in given) return [{ path: [...path, key], kind: 'wrong' as const, expected }]
  // A variant may do without it.
  const without = variants.findIndex((variant) => !(variant['required'] as string[] | undefined)?.includes(key))
  if (without >= 0) return faults[without] ?? candidates[0] ?? whole
  return [{ path: [...path, key], kind: 'missing' as const, expected: `given (${expected})` }]
}

/** Whether none of the faults is that of the value at `path` itself, which would be of another type then. */
function isWithin(faults: SchemaFault[], path: SchemaFault['path']): boolean {
  return faults.every((fault) => fault.path.length > path.length)
}

/** The key whose literals tell objects apart, such as `type`; undefined when there is none. */
function discriminator(variants: TSchema[]): string | undefined {
  const [first, ...others] = variants.filter((variant) => variant[Kind] === 'Object')
  if (first === undefined || others.length === 0) return undefined
  return Object.keys(first['properties']).find((key) =>
    [first, ...others].every(({ properties }) => literalsOf(properties[key]) !== undefined),
  )
}

/** The values of a literal or of a union of literals. */
function literalsOf(schema: TSchema | undefined): unknown[] | undefined {
  if (schema === undefined) return undefined
  if (isLiteral(schema)) return [schema['const']]
  const variants: TSchema[] | undefined = schema['anyOf']
  return variants?.every(isLiteral) ? variants.map((variant) => variant['const']) : undefined
}

function quoted(literals: readonly unknown[]): string {
  return [...new Set(literals)].map((literal) => `'${String(literal)}'`).join(', ')
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function expectation(schema: TSchema): string {
  const { anyOf, const: literal, pattern, format, description, minLength = 0, maxLength } = schema
  if (anyOf !== undefined) {
    const variants: TSchema[] = anyOf
    const literals = variants.filter(isLiteral).map((variant) => variant['const'])
    // All of the literals stand where the first one does.
    const all = literals.length > 1 ? `one of ${quoted(literals)}` : quoted(literals)
    return [...new Set(variants.map((variant) => (isLiteral(variant) ? all : expectation(variant))))].join(' or ')
  }
  if (literal !== undefined) return `'${literal}'`
  switch (schema[Kind]) {
    case 'String':
      if (format === 'date-time') return 'an ISO-8601 time, such as 2026-11-29T09:41:07Z'
      if (pattern !== undefined) return description ?? `text that matches ${pattern}`
      if (maxLength !== undefined) return `text of ${minLength} to ${maxLength} characters`
      return minLength > 0 ? 'text that is not empty' : 'text'
    case 'Number':
      return within('a number', schema)
    case 'Integer':
      return within('a whole number', schema)
    case 'Null':
      return 'null'
    case 'Boolean':
      return 'true or false'
    case 'Array':
      return listOf(schema)
    case 'Object':
      return isEmpty(schema) ? 'an empty object' : `an object with the keys ${keysOf(schema)}`
    case 'Record':
      return 'an object of names and values'
  }
  return 'something else'
}

function within(what: string, { minimum, maximum }: TSchema): string {
  if (minimum === undefined) return maximum === undefined ? what : `${what} of at most ${maximum}`
  if (maximum === undefined) return `${what} of at least ${minimum}`
  return minimum === maximum ? String(minimum) : `${what} from ${minimum} to ${maximum}`
}

function listOf({ minItems = 0, maxItems, uniqueItems }: TSchema): string {
  const what = uniqueItems === true ? 'a list without repetitions' : 'a list'
  if (maxItems === undefined) return minItems > 0 ? `${what}, of at least ${minItems}` : what
  return minItems > 0 ? `${what}, of ${minItems} to ${maxItems}` : `${what} of at most ${maxItems}`
}

function isLiteral(schema: TSchema): boolean {
  return 'const' in schema
}

function keysOf({ properties }: TSchema): string {
  return Object.keys(properties).join(', ')
}

function isEmpty({ properties }: TSchema): boolean {
  return Object.keys(properties).length === 0
}

function allowedKeys(schema: TSchema): string {
  // The key pattern of a record has no description.
  if (schema[Kind] === 'Record') return "named with letters, digits, '_' or '-'"
  return isEmpty(schema) ? '' : `one of the keys ${keysOf(schema)}`
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
