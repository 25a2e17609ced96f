// Bounds of JSON from outside, checked on its bytes before parsing: deep or large values are expensive.

/** Deepest nesting of lists and objects. */
export const MAX_JSON_DEPTH = 64
/** Most values, including keys: every value is visited by several checks. */
export const MAX_JSON_VALUES = 20_000
/** The same where a client sends its whole conversation each time, which the limit of the body's bytes bounds as well. */
export const MAX_CONVERSATION_VALUES = 1_000_000

const [QUOTE = 0, BACKSLASH = 0, COMMA, COLON, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT, LETTER_U] =
  Buffer.from('"\\,:[]{}u')

/** Checks the bytes of one JSON text incrementally. The parser checks its syntax. */
export class JsonBounds {
  readonly #maxValues: number
  #depth = 0
  #values = 1
  #inText = false
  #isEscaped = false
  /** Whether a character was written by its number, as NUL and lone surrogates can only be. */
  hasEscapes = false

  constructor(maxValues = MAX_JSON_VALUES) {
    this.#maxValues = maxValues
  }

  /** The expectation that the text violates; undefined while it is within the bounds. */
  take(bytes: Uint8Array): string | undefined {
    let inText = this.#inText
    let isEscaped = this.#isEscaped
    // Fast path: most long chunks are inside strings.
    if (inText && !isEscaped && !bytes.includes(QUOTE) && !bytes.includes(BACKSLASH)) return undefined
    for (let at = 0; at < bytes.length; at += 1) {
      const byte = bytes[at]
      if (inText) {
        if (isEscaped) {
          isEscaped = false
          if (byte === LETTER_U) this.hasEscapes = true
        } else if (byte === BACKSLASH) isEscaped = true
        else if (byte === QUOTE) inText = false
      } else if (byte === QUOTE) {
        inText = true
      } else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
        this.#values += 1
        this.#depth += 1
        if (this.#depth > MAX_JSON_DEPTH) return `JSON of at most ${MAX_JSON_DEPTH} levels`
      } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) {
        this.#depth -= 1
      } else if (byte === COMMA || byte === COLON) {
        this.#values += 1
        if (this.#values > this.#maxValues) return `JSON of at most ${this.#maxValues} values`
      }
    }
    this.#inText = inText
    this.#isEscaped = isEscaped
    return undefined
  }
}

/** The same for a whole text. */
export function jsonBoundsFault(bytes: Uint8Array): string | undefined {
  return new JsonBounds().take(bytes)
}
