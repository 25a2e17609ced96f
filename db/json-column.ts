// Reads JSON columns through their schemas: a damaged row is named, and never taken for what its type says.
import type { TSchema } from '@sinclair/typebox'
import { TypeCompiler, type TypeCheck } from '@sinclair/typebox/compiler'
import { parseExact } from '../contracts/exact-json.ts'
import { dotted, schemaFaults } from '../contracts/schemas/faults.ts'
import type { DB } from './schema.ts'

/** A text column that holds JSON of a `T`. */
export interface JsonColumn<T> {
  readonly table: keyof DB
  readonly name: string
  readonly schema: TSchema
  /** It holds JSON of models and tools: numbers keep their digits (see `parseExact`). */
  readonly exact: boolean
  /** Only for its type. */
  readonly holds?: T
}

/** A column of a table, whose values follow the schema. */
export function column<T>(table: keyof DB, name: string, schema: TSchema): JsonColumn<T> {
  return { table, name, schema, exact: false }
}

/** Of JSON that models and tools wrote: its numbers keep their digits. */
export function exactColumn<T>(table: keyof DB, name: string, schema: TSchema): JsonColumn<T> {
  return { ...column<T>(table, name, schema), exact: true }
}

/** The JSON of a column is not what it must be. The message holds no value of it, because that may be private. */
export class DamagedColumn extends Error {
  override readonly name = 'DamagedColumn'
}

const checks = new WeakMap<TSchema, TypeCheck<TSchema>>()

function checkOf(schema: TSchema): TypeCheck<TSchema> {
  const known = checks.get(schema) ?? TypeCompiler.Compile(schema)
  checks.set(schema, known)
  return known
}

/**
 * The value of a JSON column; undefined where the column is null.
 * @param row the key of its row, for the error
 * @throws DamagedColumn
 */
export function parseColumn<T>(column: JsonColumn<T>, text: string, row: string): T
export function parseColumn<T>(column: JsonColumn<T>, text: string | null, row: string): T | undefined
export function parseColumn<T>(
  { table, name, schema, exact }: JsonColumn<T>,
  text: string | null,
  row: string,
): T | undefined {
  if (text === null) return undefined
  const damaged = (why: string) => new DamagedColumn(`Cannot read '${table}.${name}' of '${row}': ${why}`)
  let value: unknown
  try {
    value = exact ? parseExact(text) : JSON.parse(text)
  } catch {
    // Without its cause, which quotes the text.
    throw damaged('it must be JSON')
  }
  if (checkOf(schema).Check(value)) return value as T
  const [fault] = schemaFaults(schema, value)
  const place = fault && fault.path.length > 0 ? `'${dotted(fault.path)}'` : 'it'
  throw damaged(`${place} must be ${fault?.expected ?? 'something else'}`)
}
