// The JSON of an event: encoded once for all readers of a turn or job, over SSE and WebSocket.
import type { StoredEvent } from '../contracts/events.ts'

/** Readers of a live stream share its event objects; readers of rows have their own. */
const encoded = new WeakMap<StoredEvent, string>()

/** The data of an event as the text of a JSON object. */
export function eventJson(event: StoredEvent): string {
  let json = encoded.get(event)
  if (json === undefined) {
    json = JSON.stringify(event.data)
    encoded.set(event, json)
  }
  return json
}
