// The JSON and the frames of an event: encoded once for all readers of a turn or job, over SSE and WebSocket.
import type { StoredEvent } from '../contracts/events.ts'

/** Readers of a live stream share its event objects; readers of rows have their own. */
const encoded = new WeakMap<StoredEvent, string>()
const numbered = new WeakMap<StoredEvent, string>()
const framed = new WeakMap<StoredEvent, Uint8Array>()
const encoder = new TextEncoder()

/** The data of an event as the text of a JSON object. */
export function eventJson(event: StoredEvent): string {
  return cached(encoded, event, () => JSON.stringify(event.data))
}

/** The same with what a WebSocket adds: the number of the event, and the id of its message under the name it has elsewhere. */
export function numberedJson(event: StoredEvent): string {
  return cached(numbered, event, () => {
    const message = event.type === 'message_start' || event.type === 'message_end' ? { message_id: event.data.id } : {}
    const more = JSON.stringify({ ...message, event_id: event.id })
    // The data of an event is never an empty object.
    return `${eventJson(event).slice(0, -1)},${more.slice(1)}`
  })
}

/** The event as a server-sent event. */
export function sseFrame(event: StoredEvent): Uint8Array {
  return cached(framed, event, () =>
    encoder.encode(`id: ${event.id}\nevent: ${event.type}\ndata: ${eventJson(event)}\n\n`),
  )
}

function cached<T>(known: WeakMap<StoredEvent, T>, event: StoredEvent, make: () => T): T {
  let value = known.get(event)
  if (value === undefined) known.set(event, (value = make()))
  return value
}
