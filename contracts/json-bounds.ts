// Bounds of JSON from outside, checked on its bytes before anything is parsed: what is deep or has many values is costly to hold.

/** Deepest nesting of lists and objects. */
export const MAX_JSON_DEPTH = 64
/** Most values, keys included: they are looked at some times before the last check has passed. */
export const MAX_JSON_VALUES = 20_000

const [QUOTE, BACKSLASH, COMMA, COLON, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = Buffer.from('"\\,:[]{}')

/** What JSON text must be, when it is not within the bounds; undefined when it is. Whether it is JSON is for the parser to say. */
export function jsonBoundsFault(bytes: Uint8Array): string | undefined {
  let depth = 0
  let values = 1
  for (let at = 0; at < bytes.length; at += 1) {
    switch (bytes[at]) {
      case QUOTE:
        for (at += 1; at < bytes.length && bytes[at] !== QUOTE; at += 1) if (bytes[at] === BACKSLASH) at += 1
        break
      case OPEN_LIST:
      case OPEN_OBJECT:
        depth += 1
        values += 1
        if (depth > MAX_JSON_DEPTH) return `JSON of at most ${MAX_JSON_DEPTH} levels`
        break
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        depth -= 1
        break
      case COMMA:
      case COLON:
        values += 1
        if (values > MAX_JSON_VALUES) return `JSON of at most ${MAX_JSON_VALUES} values`
    }
  }
  return undefined
}
