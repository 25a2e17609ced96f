// The events of a turn from any number on, for SSE and WebSocket alike.
import { AUTO } from '../../contracts/routing.ts'
import type { NewEvent, StoredEvent } from '../../contracts/events.ts'
import { shownText } from '../../contracts/text.ts'
import { turnError, turnUsage } from '../../db/columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import { readAllEvents, readHead } from '../../db/event-rows.ts'
import { finalEvent, startEvent, UNFINISHED } from '../../db/queries/turns.ts'
import type { Db, TurnsTable } from '../../db/schema.ts'
import type { Storage } from '../../db/storage.ts'

type Source = Pick<Storage, 'db' | 'events'>

/**
 * The events after a number, until the final one or until the signal aborts.
 * A number beyond the head gets the whole text, then the rest. A log past its retention is re-emitted from the rows: from 0 as
 * the shortest stream with the outcome, from any other number, of which the meaning is lost, as the whole text and the end.
 * @returns undefined when there is nothing after the number and never will be
 */
export async function resumeEvents(
  { db, events }: Source,
  turn: TurnsTable,
  after: number,
  signal: AbortSignal,
): Promise<AsyncGenerator<StoredEvent[]> | undefined> {
  const { head, ended } = await readHead(db, turn.id)
  if (head === 0 && !UNFINISHED.includes(turn.status)) {
    const events = await rebuildEvents(db, turn)
    return once(after === 0 ? events : restartAfter(after, events))
  }
  if (ended && after >= head) return undefined
  return after <= head ? events.follow(turn.id, after, signal) : resetAndFollow({ db, events }, turn.id, signal)
}

/** The final event of a turn that has ended. */
export async function lastEvent(db: Db, turn: TurnsTable): Promise<StoredEvent> {
  const known = await readAllEvents(db, turn.id)
  return known.at(-1) ?? (await rebuildEvents(db, turn)).at(-1)!
}

async function* once(events: StoredEvent[]): AsyncGenerator<StoredEvent[]> {
  yield events
}

/** Of a rebuilt log: replaces what a client has shown by the whole text, and ends, with the numbers that follow its own. */
function restartAfter(after: number, rebuilt: StoredEvent[]): StoredEvent[] {
  const { text: content } = shownText(rebuilt)
  return [
    { id: after + 1, type: 'content_reset', data: { step: 0, reason: 'the event log has expired', content } },
    { ...rebuilt.at(-1)!, id: after + 2 },
  ]
}

/** For a client whose id is beyond the head: reset its text, then continue. */
async function* resetAndFollow(
  { db, events }: Source,
  turnId: string,
  signal: AbortSignal,
): AsyncGenerator<StoredEvent[]> {
  const known = await readAllEvents(db, turnId)
  const last = known.at(-1)?.id ?? 0
  const content = shownText(known).text
  yield [{ id: last, type: 'content_reset', data: { step: 0, reason: 'resumed beyond the head', content } }]
  yield* events.follow(turnId, last, signal)
}

/** The shortest stream with the outcome of a turn. */
async function rebuildEvents(db: Db, turn: TurnsTable): Promise<StoredEvent[]> {
  const reply = await db
    .selectFrom('messages')
    .select('content')
    .where('turn_id', '=', turn.id)
    .where('role', '=', 'assistant')
    .executeTakeFirst()
  const { id: turn_id, message_id, conversation_id } = turn
  const events: NewEvent[] = [
    { type: 'accepted', data: { turn_id, conversation_id, message_id } },
    ...(turn.agent_id === AUTO ? [] : [startEvent(turn_id, turn).event]),
  ]
  if (reply && reply.content !== '') {
    const refusal = turn.finish_reason === 'refusal' && { refusal: true as const }
    events.push({ type: 'content', data: { content: reply.content, step: 1, ...refusal } })
  }
  const usage = parseColumn(turnUsage, turn.usage, turn.id) ?? { input_tokens: 0, output_tokens: 0 }
  const error = parseColumn(turnError, turn.error, turn.id)
  events.push(finalEvent(message_id, turn.status, usage, turn.finish_reason, error))
  return events.map((event, index) => ({ ...event, id: index + 1 }))
}
