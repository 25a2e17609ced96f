// Digits of numbers in structured results over HTTP: the SDK parses the text of a response itself, and rounds long numbers. The
// structure travels past it as text, under a name that no server knows.
import { randomUUID } from 'node:crypto'
import { mayRound, parseExact } from '../contracts/exact-json.ts'
import { isObject } from '../contracts/json.ts'

const NAME = `muxi/${randomUUID()}`

/** Adds the text of a structured result with numbers that would be rounded. @param text of one message, which it was parsed from */
export function withExactStructure(message: unknown, text: string): unknown {
  if (!mayRound(text)) return message
  const structure = structureOf(message)
  if (structure === undefined || !isObject(message) || !isObject(message['result'])) return message
  const exact = JSON.stringify(structureOf(parseExact(text)))
  if (exact === undefined || exact === JSON.stringify(structure)) return message
  const { result } = message
  const meta = isObject(result['_meta']) ? result['_meta'] : {}
  return { ...message, result: { ...result, _meta: { ...meta, [NAME]: exact } } }
}

/** A result with the exact structure in place of the rounded one. */
export function exactStructure(result: Record<string, unknown>): Record<string, unknown> {
  const { _meta } = result
  const exact = isObject(_meta) ? _meta[NAME] : undefined
  if (!isObject(_meta) || typeof exact !== 'string') return result
  const { [NAME]: _, ...meta } = _meta
  return { ...result, _meta: meta, structuredContent: parseExact(exact) }
}

function structureOf(message: unknown): unknown {
  return isObject(message) && isObject(message['result']) ? message['result']['structuredContent'] : undefined
}
