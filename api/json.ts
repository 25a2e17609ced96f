// Parses a client's JSON incrementally and within limits, without blocking the event loop for long.
import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import { parseExact } from '../contracts/exact-json.ts'
import { MuxiError, wrongField } from '../contracts/failures.ts'
import { JsonBounds } from '../contracts/json-bounds.ts'
import { malformedText } from '../contracts/malformed-text.ts'
import { withoutNul } from '../contracts/nul.ts'
import { dotted } from '../contracts/schemas/faults.ts'

/** Bytes per piece. */
const PIECE = 65_536
/** Bytes after which the parser yields to the event loop. */
const AT_ONCE = 2 ** 20

/** The text is not UTF-8 or not JSON. */
export class MalformedJson extends MuxiError {}

export interface JsonReading {
  maxValues?: number | undefined
  /** Whether numbers that JavaScript would round keep their digits, as values that are passed on must (decision 040). */
  exact?: boolean
  /** Gets the value before its texts are checked. */
  parsed?: (value: unknown) => void
}

/** An incremental reader of one JSON text. */
export class JsonReader {
  readonly #what: string
  readonly #bounds: JsonBounds
  readonly #decoder = new TextDecoder('utf-8', { fatal: true })
  readonly #parts: string[] = []
  readonly #parse: (text: string) => unknown
  readonly #parsed: JsonReading['parsed']
  #size = 0

  /** @param what completes "Cannot …", such as `read the request: its body` */
  constructor(what: string, { maxValues, exact = false, parsed }: JsonReading = {}) {
    this.#what = what
    this.#bounds = new JsonBounds(maxValues)
    this.#parse = exact ? parseExact : JSON.parse
    this.#parsed = parsed
  }

  /** @throws MuxiError bad_request */
  take(bytes: Uint8Array): void {
    const fault = this.#bounds.take(bytes)
    if (fault !== undefined) throw unreadable(this.#what, fault)
    this.#size += bytes.byteLength
    this.#decode(bytes)
  }

  /** The value, after all bytes. @throws MuxiError bad_request */
  async end(): Promise<unknown> {
    this.#decode()
    const value = parsedBy(this.#parse, this.#parts.join(''), this.#what)
    if (this.#size > AT_ONCE) await yieldToEventLoop()
    this.#parsed?.(value)
    if (this.#bounds.hasEscapes) checkTexts(value, this.#what)
    return value
  }

  #decode(bytes?: Uint8Array): void {
    try {
      this.#parts.push(bytes ? this.#decoder.decode(bytes, { stream: true }) : this.#decoder.decode())
    } catch (cause) {
      throw unreadable(this.#what, 'UTF-8', cause)
    }
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true })

/** Without a reader: it costs more than a short text itself. */
function readPiece(bytes: Uint8Array, what: string, parsed: JsonReading['parsed']): unknown {
  const bounds = new JsonBounds()
  const fault = bounds.take(bytes)
  if (fault !== undefined) throw unreadable(what, fault)
  let text: string
  try {
    text = decoder.decode(bytes)
  } catch (cause) {
    throw unreadable(what, 'UTF-8', cause)
  }
  const value = parsedBy(parseExact, text, what)
  parsed?.(value)
  if (bounds.hasEscapes) checkTexts(value, what)
  return value
}

function parsedBy(parse: (text: string) => unknown, text: string, what: string): unknown {
  try {
    return parse(text)
  } catch (cause) {
    throw unreadable(what, 'JSON', cause)
  }
}

/** @throws MuxiError bad_request that names a text which cannot be stored */
function checkTexts(value: unknown, what: string): void {
  const path = malformedText(value)
  if (path === undefined) return
  // Faults of a frame are named within its data.
  const shown = path[0] === 'data' && path.length > 1 ? path.slice(1) : path
  const [doing = ''] = what.split(':')
  throw wrongField(doing, withoutNul(dotted(shown).toWellFormed()), 'Unicode text without NUL and lone surrogates')
}

function unreadable(what: string, expected: string, cause?: unknown): MuxiError {
  const message = `Cannot ${what} must be ${expected}`
  return cause === undefined
    ? new MuxiError('bad_request', message)
    : new MalformedJson('bad_request', message, { cause })
}

/** The value of a whole JSON text, whose numbers keep their digits. @throws MuxiError bad_request */
export async function readJson(bytes: Uint8Array, what: string, parsed?: JsonReading['parsed']): Promise<unknown> {
  if (bytes.byteLength <= PIECE) return readPiece(bytes, what, parsed)
  const reader = new JsonReader(what, { exact: true, parsed })
  for (let at = 0; at < bytes.byteLength; at += PIECE) {
    reader.take(bytes.subarray(at, at + PIECE))
    if (at > 0 && at % AT_ONCE === 0) await yieldToEventLoop()
  }
  return reader.end()
}
