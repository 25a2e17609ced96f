// Reads JSON that a client has sent, within bounds, without blocking the event loop for long.
import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import { MuxiError } from '../contracts/failures.ts'
import { jsonBoundsFault } from '../contracts/json-bounds.ts'

/** Bytes that are checked and parsed in one go. */
const AT_ONCE = 2 ** 20

/** The value of JSON bytes. @param what completes "Cannot …", such as `read the request: its body` @throws MuxiError bad_request */
export async function readJson(bytes: Uint8Array, what: string): Promise<unknown> {
  const fault = jsonBoundsFault(bytes)
  if (fault !== undefined) throw unreadable(what, fault)
  if (bytes.byteLength > AT_ONCE) await yieldToEventLoop()
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw unreadable(what, 'UTF-8', cause)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw unreadable(what, 'JSON', cause)
  }
  if (bytes.byteLength > AT_ONCE) await yieldToEventLoop()
  return value
}

function unreadable(what: string, expected: string, cause?: unknown): MuxiError {
  return new MuxiError('bad_request', `Cannot ${what} must be ${expected}`, { cause })
}
