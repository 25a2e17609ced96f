// The rows of the live event log: numbering, fencing and packing, in whichever transaction the caller is.
import { sql } from 'kysely'
import type { NewEvent, StoredEvent } from '../contracts/events.ts'
import { isFinal } from '../contracts/events.ts'
import type { Db, Tx } from './schema.ts'

/** Who writes: an attempt in a scope (a step or a tool call) of a stream. Without one, only the stream's end refuses. */
export interface Writer {
  scope: string
  fence: number
}

export interface Addition {
  event: NewEvent
  /** Unique in its stream: an event with a known key is left out. For events that at-least-once code may add twice. */
  key?: string
}

export type Refusal = 'fenced' | 'ended'
export type Added = { events: StoredEvent[] } | { refused: Refusal }

/**
 * Makes an attempt the only writer of its scope.
 * @returns undefined when a newer attempt (or this very one) has begun already, else whether older attempts left text.
 */
export async function raiseFence(tx: Tx, stream: string, writer: Writer): Promise<{ hadText: boolean } | undefined> {
  const known = await tx
    .selectFrom('event_fences')
    .select(['fence', 'has_text'])
    .where('stream_id', '=', stream)
    .where('scope', '=', writer.scope)
    .executeTakeFirst()
  if (!known) {
    await tx.insertInto('event_fences').values({ stream_id: stream, scope: writer.scope, fence: writer.fence }).execute()
    return { hadText: false }
  }
  if (known.fence >= writer.fence) return undefined
  await tx
    .updateTable('event_fences')
    .set({ fence: writer.fence })
    .where('stream_id', '=', stream)
    .where('scope', '=', writer.scope)
    .execute()
  return { hadText: known.has_text === 1 }
}

/** Gives the events their numbers and stores them as one segment; all or none, except those whose key is known. */
export async function addEvents(tx: Tx, stream: string, writer: Writer | undefined, additions: Addition[]): Promise<Added> {
  if (writer) {
    const hasText = additions.some(({ event }) => event.type === 'content')
    // The update is also the row lock that keeps a newer attempt from beginning before this transaction ends.
    const held = await tx
      .updateTable('event_fences')
      .set((eb) => ({ has_text: hasText ? 1 : eb.ref('has_text') }))
      .where('stream_id', '=', stream)
      .where('scope', '=', writer.scope)
      .where('fence', '=', writer.fence)
      .executeTakeFirst()
    if (held.numUpdatedRows === 0n) return { refused: 'fenced' }
  }
  const fresh: NewEvent[] = []
  for (const { event, key } of additions) if (key === undefined || (await claimKey(tx, stream, key))) fresh.push(event)
  if (fresh.length === 0) return { events: [] }

  const ends = fresh.some((event) => isFinal(event.type)) ? 1 : 0
  const stamp = new Date().toISOString()
  await tx
    .insertInto('event_streams')
    .values({ stream_id: stream, updated_at: stamp })
    .onConflict((oc) => oc.doNothing())
    .execute()
  const numbered = await tx
    .updateTable('event_streams')
    .set({ head: sql`head + ${fresh.length}`, ended: ends, updated_at: stamp })
    .where('stream_id', '=', stream)
    .where('ended', '=', 0)
    .returning('head')
    .executeTakeFirst()
  if (!numbered) return { refused: 'ended' }
  const first = numbered.head - fresh.length + 1
  await tx
    .insertInto('event_segments')
    .values({
      stream_id: stream,
      first_id: first,
      last_id: numbered.head,
      events: JSON.stringify(fresh.map((event) => [event.type, event.data])),
    })
    .execute()
  return { events: fresh.map((event, index) => ({ ...event, id: first + index })) }
}

async function claimKey(tx: Tx, stream: string, key: string): Promise<boolean> {
  const claimed = await tx
    .insertInto('event_keys')
    .values({ stream_id: stream, dedupe_key: key })
    .onConflict((oc) => oc.doNothing())
    .executeTakeFirst()
  return (claimed.numInsertedOrUpdatedRows ?? 0n) > 0n
}

/** Lets a stream go on after its final event, in whose place later readers see another one. */
export async function reopenStream(tx: Tx, stream: string, replacement: NewEvent): Promise<void> {
  const { head, ended } = await readHead(tx, stream)
  if (!ended) return
  const last = tx.selectFrom('event_segments').select('events').where('stream_id', '=', stream).where('last_id', '=', head)
  const packed = JSON.parse((await last.executeTakeFirstOrThrow()).events) as unknown[]
  packed[packed.length - 1] = [replacement.type, replacement.data]
  await tx
    .updateTable('event_segments')
    .set({ events: JSON.stringify(packed) })
    .where('stream_id', '=', stream)
    .where('last_id', '=', head)
    .execute()
  await tx.updateTable('event_streams').set({ ended: 0 }).where('stream_id', '=', stream).execute()
}

/** Committed events after a number, oldest first, at most about `limit` (whole segments). */
export async function readEvents(db: Db | Tx, stream: string, after: number, limit = 1_000): Promise<StoredEvent[]> {
  const segments = await db
    .selectFrom('event_segments')
    .select(['first_id', 'events'])
    .where('stream_id', '=', stream)
    .where('last_id', '>', after)
    .orderBy('last_id')
    .limit(limit)
    .execute()
  const events: StoredEvent[] = []
  for (const segment of segments) {
    const packed = JSON.parse(segment.events) as [NewEvent['type'], NewEvent['data']][]
    for (const [index, [type, data]] of packed.entries()) {
      const id = segment.first_id + index
      if (id > after) events.push({ id, type, data } as StoredEvent)
    }
  }
  return events
}

/** Every committed event of a stream. */
export async function readAllEvents(db: Db | Tx, stream: string): Promise<StoredEvent[]> {
  const events: StoredEvent[] = []
  for (;;) {
    const more = await readEvents(db, stream, events.at(-1)?.id ?? 0)
    if (more.length === 0) return events
    events.push(...more)
  }
}

export async function readHead(db: Db | Tx, stream: string): Promise<{ head: number; ended: boolean }> {
  const row = await db
    .selectFrom('event_streams')
    .select(['head', 'ended'])
    .where('stream_id', '=', stream)
    .executeTakeFirst()
  return { head: row?.head ?? 0, ended: row?.ended === 1 }
}
