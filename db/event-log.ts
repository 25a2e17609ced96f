// The live event log of turns: group commit by writers; readers see only committed events, from any number, in any process.
import type { StoredEvent } from '../contracts/events.ts'
import { isFinal } from '../contracts/events.ts'
import type { Commits, ForeignCommits } from './dialect.ts'
import {
  addAllEvents,
  raiseFence,
  readEvents,
  readHeads,
  readNewEvents,
  type Added,
  type Addition,
  type Refusal,
  type Writer,
} from './event-rows.ts'
import { ReaderWakes } from './reader-wakes.ts'
import type { Db } from './schema.ts'

/** Minimum interval between two group commits, in milliseconds; the first event after a pause is committed at once. */
const BATCH_MS = 20
/** How long events are cached for a reader that has not subscribed yet, in milliseconds. */
const KEEP_MS = 1_000
/** Committed events kept in memory for the readers of a stream; slower readers read rows. */
const RING_EVENTS = 512
/** Streams per statement that reads new events. */
const STREAMS_A_READ = 100

/** A write was refused: the attempt is superseded, or the stream has ended. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
  readonly refusal: Refusal

  constructor(stream: string, refusal: Refusal) {
    super(`Cannot write to '${stream}': ${refusal === 'ended' ? 'it has ended' : 'a newer attempt has begun'}`)
    this.refusal = refusal
  }
}

interface Waiting {
  stream: string
  writer: Writer | undefined
  /** Called at the time of the commit, so that it includes text that arrived while waiting. */
  take: () => Addition[]
  soon: boolean
  resolve: (events: StoredEvent[]) => void
  reject: (error: unknown) => void
}

interface Ring {
  /** Without gaps, up to the newest that this process knows to be committed. */
  events: StoredEvent[]
  /** Counts invalidations of the ring by writes of other processes: data read before may be stale. */
  restarts: number
  followers: Set<() => void>
}

export class EventLog {
  readonly #db: Db
  readonly #foreign: ForeignCommits
  readonly #rings = new Map<string, Ring>()
  readonly #wakes = new ReaderWakes()
  #queue: Waiting[] = []
  #timer: NodeJS.Timeout | undefined
  #committing: Promise<void> | undefined
  #lastCommit = 0
  #unlisten: (() => void) | undefined
  /** Heads of followed streams reported by other processes and not read yet; undefined: any may have advanced. */
  #ahead: Map<string, number> | undefined = new Map()
  #catchingUp = false

  constructor(db: Db, foreign: ForeignCommits) {
    this.#db = db
    this.#foreign = foreign
  }

  /** Makes an attempt the only writer of its scope; undefined when it is superseded. See `raiseFence`. */
  begin(stream: string, writer: Writer): Promise<{ hadText: boolean } | undefined> {
    return this.#db.transaction().execute((tx) => raiseFence(tx, stream, writer))
  }

  /**
   * Commits events immediately.
   * @throws RefusedError
   */
  append(stream: string, writer: Writer | undefined, additions: Addition[]): Promise<StoredEvent[]> {
    return this.enqueue(stream, writer, () => additions, true)
  }

  /**
   * Commits with the next group the additions that `take` returns at that time.
   * @param soon commit without waiting for the batch interval
   * @throws RefusedError
   */
  enqueue(stream: string, writer: Writer | undefined, take: () => Addition[], soon: boolean): Promise<StoredEvent[]> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ stream, writer, take, soon, resolve, reject })
      this.#schedule(soon)
    })
  }

  /**
   * Caches the events of a stream briefly, for a reader that is about to follow it. Called before the stream's first
   * event is committed, it saves that reader a query.
   */
  keep(stream: string): void {
    const nothing = () => undefined
    this.#join(stream, nothing)
    setTimeout(() => this.#leave(stream, nothing), KEEP_MS).unref()
  }

  /** Delivers events that the caller has committed in its own transaction to the readers of this process. */
  publish(stream: string, events: StoredEvent[]): void {
    const ring = this.#rings.get(stream)
    if (!ring) return
    this.#extend(ring, events)
    this.#wakes.wake(ring.followers)
  }

  /** Two commits may be published out of order, and commits of other processes in between are not published here. */
  #extend(ring: Ring, events: StoredEvent[]): void {
    const last = lastOf(ring)
    const fresh = events.filter(({ id }) => id > last)
    if (fresh.length === 0) return
    // After a gap the ring is reset: readers behind it read rows.
    if (fresh[0]!.id !== last + 1) ring.events = []
    ring.events.push(...fresh)
    if (ring.events.length > RING_EVENTS) ring.events.splice(0, ring.events.length - RING_EVENTS)
  }

  /**
   * Yields committed events after a number, in order and in batches, until the final one or until the signal aborts.
   * @param after the number of the last event already known; 0 for all
   */
  async *follow(stream: string, after: number, signal: AbortSignal): AsyncGenerator<StoredEvent[]> {
    let woken = Promise.withResolvers<void>()
    const wake = () => woken.resolve()
    const ring = this.#join(stream, wake)
    // Asking a signal that depends on others costs more than the rest of a reader's step.
    let isOver = signal.aborted
    const end = () => {
      isOver = true
      wake()
    }
    signal.addEventListener('abort', end)
    try {
      let last = after
      while (!isOver) {
        woken = Promise.withResolvers<void>()
        let events = fromRing(ring, last)
        if (!events) {
          const { restarts } = ring
          events = await readEvents(this.#db, stream, last)
          if (ring.restarts === restarts) this.#extend(ring, events)
        }
        if (events.length === 0) {
          await woken.promise
          continue
        }
        last = events.at(-1)!.id
        yield events
        if (isFinal(events.at(-1)!.type)) return
      }
    } finally {
      signal.removeEventListener('abort', end)
      this.#leave(stream, wake)
    }
  }

  /** Commits pending additions. Nothing may be appended afterwards. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    await this.#committing
    await this.#commit()
    this.#unlisten?.()
  }

  #join(stream: string, wake: () => void): Ring {
    const ring = this.#rings.get(stream) ?? { events: [], restarts: 0, followers: new Set() }
    ring.followers.add(wake)
    this.#rings.set(stream, ring)
    this.#unlisten ??= this.#foreign.listen((commits) => this.#onCommits(commits))
    return ring
  }

  #leave(stream: string, wake: () => void): void {
    const ring = this.#rings.get(stream)
    ring?.followers.delete(wake)
    this.#wakes.forget(wake)
    if (ring?.followers.size === 0) this.#rings.delete(stream)
    if (this.#rings.size > 0) return
    this.#unlisten?.()
    this.#unlisten = undefined
  }

  #onCommits(commits: Commits | undefined): void {
    if (!commits) this.#ahead = undefined
    for (const { stream, events } of commits?.events ?? []) this.publish(stream, events)
    for (const [stream, head] of commits?.heads ?? []) if (this.#rings.has(stream)) this.#ahead?.set(stream, head)
    void this.#catchUp()
  }

  /** Reads commits of other processes, for all followed streams together, until there are no more. */
  async #catchUp(): Promise<void> {
    if (this.#catchingUp) return
    this.#catchingUp = true
    try {
      while (!this.#ahead || this.#ahead.size > 0) {
        const told = this.#ahead
        this.#ahead = new Map()
        const heads = told ?? (await readHeads(this.#db, [...this.#rings.keys()]))
        const moved = [...heads].filter(([stream, head]) => lastOf(this.#rings.get(stream)) < head)
        for (let at = 0; at < moved.length; at += STREAMS_A_READ) await this.#read(moved.slice(at, at + STREAMS_A_READ))
      }
    } catch {
      // Followers then read rows themselves, and get the error.
      for (const ring of this.#rings.values()) this.#restart(ring)
    } finally {
      this.#catchingUp = false
    }
  }

  async #read(moved: [stream: string, head: number][]): Promise<void> {
    const after = new Map<string, number>()
    for (const [stream, head] of moved) {
      const ring = this.#rings.get(stream)
      if (!ring) continue
      if (head - lastOf(ring) > RING_EVENTS) this.#restart(ring)
      else after.set(stream, lastOf(ring))
    }
    if (after.size === 0) return
    for (const [stream, events] of await readNewEvents(this.#db, after)) this.publish(stream, events)
  }

  #restart(ring: Ring): void {
    ring.events = []
    ring.restarts += 1
    this.#wakes.wake(ring.followers)
  }

  #schedule(soon: boolean): void {
    if (this.#committing) return
    const due = soon ? 0 : Math.max(0, this.#lastCommit + BATCH_MS - performance.now())
    if (this.#timer && !soon) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#committing = this.#commit().finally(() => {
        this.#committing = undefined
        if (this.#queue.length > 0) this.#schedule(this.#queue.some(({ soon }) => soon))
      })
    }, due)
  }

  async #commit(): Promise<void> {
    const group = this.#queue
    if (group.length === 0) return
    this.#queue = []
    let outcomes: Added[]
    try {
      outcomes = await this.#db.transaction().execute((tx) =>
        addAllEvents(
          tx,
          group.map(({ stream, writer, take }) => ({ stream, writer, additions: take() })),
        ),
      )
    } catch (error) {
      for (const { reject } of group) reject(error)
      return
    } finally {
      this.#lastCommit = performance.now()
    }
    for (const [index, waiting] of group.entries()) {
      const outcome = outcomes[index]!
      if ('refused' in outcome) {
        waiting.reject(new RefusedError(waiting.stream, outcome.refused))
        continue
      }
      this.publish(waiting.stream, outcome.events)
      waiting.resolve(outcome.events)
    }
  }
}

function lastOf(ring: Ring | undefined): number {
  return ring?.events.at(-1)?.id ?? 0
}

function fromRing(ring: Ring, after: number): StoredEvent[] | undefined {
  const first = ring.events[0]?.id
  if (first === undefined || after + 1 < first) return undefined
  return ring.events.slice(after + 1 - first)
}
