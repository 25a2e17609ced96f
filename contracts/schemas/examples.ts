// An example of a schema: its own, or put together from those of its parts.
import type { TSchema } from '@sinclair/typebox'

/** A value that follows the schema, with the optional fields that have an example; undefined when a part has none. */
export function exampleOf(schema: TSchema): unknown {
  const { examples, type } = schema as { examples?: unknown[]; type?: string }
  if (examples) return examples[0]
  for (const key of ['const', 'default'] as const) if (key in schema) return schema[key] as unknown
  if (schema['enum']) return (schema['enum'] as unknown[])[0]
  const variants = (schema['anyOf'] ?? schema['oneOf']) as TSchema[] | undefined
  if (variants?.[0]) return exampleOf(variants[0])
  if (type === 'object') return exampleOfObject(schema)
  if (type === 'array') {
    const item = exampleOf(schema['items'] as TSchema)
    return item === undefined ? undefined : [item]
  }
  if (type === 'integer' || type === 'number') return (schema['minimum'] as number | undefined) ?? 0
  if (type === 'boolean') return false
  return type === 'null' ? null : undefined
}

function exampleOfObject({ properties = {}, required = [] }: TSchema): unknown {
  const shown = Object.entries(properties as Record<string, TSchema>)
    .filter(([name, { examples }]) => (required as string[]).includes(name) || examples !== undefined)
    .map(([name, schema]) => [name, exampleOf(schema)] as const)
  return shown.some(([, example]) => example === undefined) ? undefined : Object.fromEntries(shown)
}
