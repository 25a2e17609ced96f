// The rows of the live event log: numbering, fencing and packing, in the caller's transaction.
import type { NewEvent, StoredEvent } from '../contracts/events.ts'
import { isFinal } from '../contracts/events.ts'
import { segmentEvents } from './columns.ts'
import { parseColumn } from './json-column.ts'
import { compiled } from './compiled.ts'
import { differencesOf } from './dialect.ts'
import type { Db, EventSegmentsTable, Tx } from './schema.ts'

/**
 * The writer: an attempt in a scope (a step or a tool call) of a stream. Without one, a write is refused only after the
 * stream's end.
 */
export interface Writer {
  scope: string
  fence: number
}

export interface Addition {
  event: NewEvent
  /**
   * Dedupe key, unique in its stream: an event with a known key is skipped. For events that at-least-once code may add
   * twice.
   */
  key?: string
}

export type Refusal = 'fenced' | 'ended'
export type Added = { events: StoredEvent[] } | { refused: Refusal }

/** One write to a stream: all of it or none, except events whose key is known. */
export interface Write {
  stream: string
  writer: Writer | undefined
  additions: Addition[]
}

/**
 * Makes an attempt the only writer of its scope.
 * @returns undefined when a newer attempt (or this one) has started already, else whether older attempts left text.
 */
export async function raiseFence(tx: Tx, stream: string, writer: Writer): Promise<{ hadText: boolean } | undefined> {
  const [raised] = (await upsertFence(tx, { stream, ...writer })).rows
  return raised && { hadText: raised.has_text === 1 }
}

const upsertFence = compiled<{ stream: string; scope: string; fence: number }, { has_text: number }>((db, parameter) =>
  db
    .insertInto('event_fences')
    .values({ stream_id: parameter('stream'), scope: parameter('scope'), fence: parameter('fence') })
    .onConflict((oc) =>
      oc
        .columns(['stream_id', 'scope'])
        .doUpdateSet({ fence: (eb) => eb.ref('excluded.fence') })
        .whereRef('event_fences.fence', '<', 'excluded.fence'),
    )
    .returning('has_text'),
)

/** Numbers the events and stores them as one segment. */
export async function addEvents(
  tx: Tx,
  stream: string,
  writer: Writer | undefined,
  additions: Addition[],
): Promise<Added> {
  const [added] = await addAllEvents(tx, [{ stream, writer, additions }])
  return added!
}

/**
 * Many writes with the same number of statements as one. Rows are locked in one order (fences, then streams, each by name),
 * so that
 * concurrent writers of the same streams cannot deadlock.
 */
export async function addAllEvents(tx: Tx, writes: readonly Write[]): Promise<Added[]> {
  const held = await holdFences(tx, writes)
  const claimed = await claimKeys(
    tx,
    writes.filter((write) => held(write)),
  )
  const outcomes: Added[] = []
  const perStream = new Map<string, { fresh: NewEvent[]; ended: boolean; fill: ((first: number) => void)[] }>()
  for (const [index, write] of writes.entries()) {
    outcomes[index] = { events: [] }
    const stream = perStream.get(write.stream) ?? { fresh: [], ended: false, fill: [] }
    const fresh = write.additions.filter((addition) => claimed(write.stream, addition)).map(({ event }) => event)
    if (!held(write)) outcomes[index] = { refused: 'fenced' }
    else if (fresh.length > 0 && stream.ended) outcomes[index] = { refused: 'ended' }
    else if (fresh.length > 0) {
      const offset = stream.fresh.length
      outcomes[index] = { refused: 'ended' }
      stream.fill.push(
        (first) => (outcomes[index] = { events: fresh.map((event, at) => ({ ...event, id: first + offset + at })) }),
      )
      stream.fresh.push(...fresh)
      stream.ended = fresh.some((event) => isFinal(event.type))
      perStream.set(write.stream, stream)
    }
  }
  if (perStream.size === 0) return outcomes

  const segments = [...perStream]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([stream_id, { fresh, ended }]) => ({ stream_id, count: fresh.length, ended, events: pack(fresh) }))
  for (const { stream_id, head } of await differencesOf(tx).appendSegments(tx, segments)) {
    const { fresh, fill } = perStream.get(stream_id)!
    for (const tell of fill) tell(head - fresh.length + 1)
  }
  return outcomes
}

/** Prevents newer attempts from starting until the transaction ends. @returns whether a write may go on */
async function holdFences(tx: Tx, writes: readonly Write[]): Promise<(write: Write) => boolean> {
  const fenced = writes.filter((write): write is Write & { writer: Writer } => write.writer !== undefined)
  if (fenced.length === 0) return () => true
  const name = (stream: string, { scope, fence }: Writer) => `${stream} ${scope} ${fence}`
  const rows = await tx
    .selectFrom('event_fences')
    .select(['stream_id', 'scope', 'fence', 'has_text'])
    .where((eb) =>
      eb.or(
        fenced.map(({ stream, writer }) => eb.and({ stream_id: stream, scope: writer.scope, fence: writer.fence })),
      ),
    )
    .orderBy('stream_id')
    .orderBy('scope')
    .forUpdate()
    .execute()
  const held = new Map(rows.map((row) => [name(row.stream_id, row), row]))
  const first = new Set<string>()
  for (const { stream, writer, additions } of fenced) {
    const row = held.get(name(stream, writer))
    if (
      row?.has_text !== 0 ||
      first.has(name(stream, writer)) ||
      !additions.some(({ event }) => event.type === 'content')
    )
      continue
    first.add(name(stream, writer))
    await tx
      .updateTable('event_fences')
      .set({ has_text: 1 })
      .where('stream_id', '=', stream)
      .where('scope', '=', writer.scope)
      .execute()
  }
  return ({ stream, writer }) => writer === undefined || held.has(name(stream, writer))
}

/** Inserts the new dedupe keys. @returns whether an addition is to be stored: the first with its key, or one without */
async function claimKeys(tx: Tx, writes: readonly Write[]): Promise<(stream: string, addition: Addition) => boolean> {
  const name = (stream: string, key: string) => `${stream} ${key}`
  const keys = writes
    .flatMap(({ stream, additions }) =>
      additions.flatMap(({ key }) => (key === undefined ? [] : [{ stream_id: stream, dedupe_key: key }])),
    )
    .sort((a, b) => (name(a.stream_id, a.dedupe_key) < name(b.stream_id, b.dedupe_key) ? -1 : 1))
  if (keys.length === 0) return (_stream, { key }) => key === undefined
  const rows = await tx
    .insertInto('event_keys')
    .values(keys)
    .onConflict((oc) => oc.doNothing())
    .returning(['stream_id', 'dedupe_key'])
    .execute()
  const fresh = new Set(rows.map((row) => name(row.stream_id, row.dedupe_key)))
  return (stream, { key }) => key === undefined || fresh.delete(name(stream, key))
}

/** Locks a stream against additions until the transaction ends, so that a read of it is complete. */
export async function lockStream(tx: Tx, stream: string): Promise<void> {
  await tx.selectFrom('event_streams').select('head').where('stream_id', '=', stream).forUpdate().execute()
}

/** Reopens a stream after its final event, which is replaced by another event for later readers. */
export async function reopenStream(tx: Tx, stream: string, replacement: NewEvent): Promise<void> {
  const { head, ended } = await readHead(tx, stream)
  if (!ended) return
  const last = tx
    .selectFrom('event_segments')
    .select('events')
    .where('stream_id', '=', stream)
    .where('last_id', '=', head)
  const packed = parseColumn(segmentEvents, (await last.executeTakeFirstOrThrow()).events, `${stream}/${head}`)
  packed[packed.length - 1] = [replacement.type, replacement.data]
  await tx
    .updateTable('event_segments')
    .set({ events: JSON.stringify(packed) })
    .where('stream_id', '=', stream)
    .where('last_id', '=', head)
    .execute()
  await tx.updateTable('event_streams').set({ ended: 0 }).where('stream_id', '=', stream).execute()
}

const SEGMENTS_A_READ = 1_000

/** Committed events after a number, oldest first, at most about `limit` (whole segments). */
export async function readEvents(
  db: Db | Tx,
  stream: string,
  after: number,
  limit = SEGMENTS_A_READ,
): Promise<StoredEvent[]> {
  const segments = await db
    .selectFrom('event_segments')
    .select(['first_id', 'events'])
    .where('stream_id', '=', stream)
    .where('last_id', '>', after)
    .orderBy('last_id')
    .limit(limit)
    .execute()
  return segments.flatMap((segment) => unpack(segment, after))
}

/** Committed events of many streams, each after a number, oldest first. */
export async function readNewEvents(db: Db, after: ReadonlyMap<string, number>): Promise<Map<string, StoredEvent[]>> {
  const segments = await db
    .selectFrom('event_segments')
    .select(['stream_id', 'first_id', 'events'])
    .where((eb) =>
      eb.or([...after].map(([stream, last]) => eb.and([eb('stream_id', '=', stream), eb('last_id', '>', last)]))),
    )
    .orderBy('stream_id')
    .orderBy('last_id')
    .execute()
  const read = new Map<string, StoredEvent[]>()
  for (const segment of segments) {
    const events = read.get(segment.stream_id) ?? []
    events.push(...unpack(segment, after.get(segment.stream_id)!))
    read.set(segment.stream_id, events)
  }
  return read
}

function pack(events: NewEvent[]): string {
  return JSON.stringify(events.map(({ type, data }) => [type, data]))
}

/** The events of a segment after a number. */
export function unpack(segment: Pick<EventSegmentsTable, 'first_id' | 'events'>, after: number): StoredEvent[] {
  const packed = parseColumn(segmentEvents, segment.events, String(segment.first_id))
  return packed.flatMap(([type, data], index) => {
    const id = segment.first_id + index
    return id > after ? [{ id, type, data } as StoredEvent] : []
  })
}

/** Every committed event of a stream. */
export async function readAllEvents(db: Db | Tx, stream: string): Promise<StoredEvent[]> {
  const events: StoredEvent[] = []
  for (;;) {
    const more = await readEvents(db, stream, events.at(-1)?.id ?? 0, SEGMENTS_A_READ)
    events.push(...more)
    // A segment has at least one event.
    if (more.length < SEGMENTS_A_READ) return events
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

export async function readHeads(db: Db, streams: string[]): Promise<Map<string, number>> {
  if (streams.length === 0) return new Map()
  const rows = await db
    .selectFrom('event_streams')
    .select(['stream_id', 'head'])
    .where('stream_id', 'in', streams)
    .execute()
  return new Map(rows.map(({ stream_id, head }) => [stream_id, head]))
}
