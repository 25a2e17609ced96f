// What a client of the UI message stream has seen already when it continues a reply by its answers to approvals.
import { UiChunks } from '../../client/ui/ui-chunks.ts'
import type { StoredEvent } from '../../contracts/events.ts'

/** The number of the event after which the stream has ended of a client that knows these approvals. */
export function seenBy(events: readonly StoredEvent[], known: ReadonlySet<string>): number {
  const chunks = new UiChunks()
  const told = new Set<string>()
  let seen = 0
  for (const event of events) {
    chunks.next(event)
    const parked = chunks.parkedFor
    // Without a new question the client reads on: what came beside a call that still waits is new to it.
    if (!parked.every((id) => known.has(id)) || parked.every((id) => told.has(id))) continue
    seen = event.id
    for (const id of parked) told.add(id)
  }
  return seen
}
