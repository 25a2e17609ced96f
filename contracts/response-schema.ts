// Bounds of the JSON Schema of structured output: it is stored with the turn and sent with each model call.

const MAX_BYTES = 65_536
const MAX_DEPTH = 32
const MAX_KEYS = 2_000

/** The expectation that a response schema violates; undefined when it is within the bounds. */
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
  return bytes > MAX_BYTES ? `a JSON Schema of at most ${MAX_BYTES} bytes` : undefined
}
