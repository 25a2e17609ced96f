// The output of a tool call on the wire, the same in events, replies and logs.
import { parseExact } from './exact-json.ts'

/** Parses an object or a list; anything else stays the text that the tool gave. */
export function toolOutput(text: string): unknown {
  if (!/^\s*[{[]/.test(text)) return text
  try {
    return parseExact(text)
  } catch {
    return text
  }
}
