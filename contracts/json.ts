// JSON values: objects, and a canonical text that is independent of the order of keys.

import { isRawNumber } from './exact-json.ts'

/** The JSON of a value with the keys of every object in order: equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    isObject(inner) ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1))) : inner,
  )
}

/** Whether a value is an object, and neither a list nor a number that is kept as text. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawNumber(value)
}

/** Whether a text is the whole of one JSON object. */
export function isObjectText(text: string): boolean {
  return text.trimStart().startsWith('{') && text.trimEnd().endsWith('}') && tryParse(text) !== undefined
}

/** The value of a JSON text; undefined when it is none. */
export function tryParse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
