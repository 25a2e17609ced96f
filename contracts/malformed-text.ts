// Text in requests that is stored as another text: with NUL, or with a lone surrogate (`\ud800`), which is no Unicode.
import { withoutNul } from './nul.ts'

/** Texts below these keys of a request, or of a frame's data, are pasted by people: they are replaced as they would be when stored. */
const PASTED: ReadonlySet<string | number | undefined> = new Set(['content', 'input', 'messages', 'params'])

/** The path of the first such text or key. In pasted texts U+FFFD takes the place of NUL and lone surrogates, in `value` itself. */
export function malformedText(value: unknown): (string | number)[] | undefined {
  const path: (string | number)[] = []
  return look(value, path) ? undefined : path
}

/** Leaves `path` at the fault. */
function look(value: unknown, path: (string | number)[]): boolean {
  if (typeof value === 'string') return isWellFormed(value)
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every((each, index) => lookAt(value, index, each, path))
  for (const key of Object.keys(value)) {
    if (isWellFormed(key)) {
      if (lookAt(value, key, (value as Record<string, unknown>)[key], path)) continue
    } else path.push(key)
    return false
  }
  return true
}

/** Looks at one part of a list or an object. */
function lookAt(parent: object, key: string | number, value: unknown, path: (string | number)[]): boolean {
  path.push(key)
  if (!look(value, path)) {
    if (typeof value !== 'string' || !isPasted(path)) return false
    // Not by assignment: the key may be `__proto__`.
    Object.defineProperty(parent, key, { value: withoutNul(value.toWellFormed()) })
  }
  path.pop()
  return true
}

function isPasted([first, second]: readonly (string | number)[]): boolean {
  return PASTED.has(first === 'data' ? second : first)
}

function isWellFormed(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}
