// The live event log of turns: writers commit in groups, readers see only what is committed, from any number, in any process.
import type { StoredEvent } from '../contracts/events.ts'
import { isFinal } from '../contracts/events.ts'
import { addEvents, raiseFence, readEvents, type Addition, type Refusal, type Writer } from './event-rows.ts'
import type { ForeignCommits } from './foreign-commits.ts'
import type { Db } from './schema.ts'

/** Shortest time between two group commits, in milliseconds; the first event after a pause is committed at once. */
const BATCH_MS = 20
/** Committed events kept in memory for the readers of a stream; who lags further reads rows. */
const RING_EVENTS = 512
/** Text that a writer may hold uncommitted before it has to wait, in characters. */
export const MAX_BUFFERED_TEXT = 65_536

/** A write was refused: a newer attempt has begun, or the stream has ended. */
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
  /** Asked at the moment of the commit, so that text which arrived while waiting goes along. */
  take: () => Addition[]
  soon: boolean
  resolve: (events: StoredEvent[]) => void
  reject: (error: unknown) => void
}

interface Ring {
  events: StoredEvent[]
  followers: Set<() => void>
}

export class EventLog {
  readonly #db: Db
  readonly #foreign: ForeignCommits
  readonly #rings = new Map<string, Ring>()
  #queue: Waiting[] = []
  #timer: NodeJS.Timeout | undefined
  #committing: Promise<void> | undefined
  #lastCommit = 0
  #unlisten: (() => void) | undefined

  constructor(db: Db, foreign: ForeignCommits) {
    this.#db = db
    this.#foreign = foreign
  }

  /** Makes an attempt the only writer of its scope; undefined when a newer attempt has begun. See `raiseFence`. */
  begin(stream: string, writer: Writer): Promise<{ hadText: boolean } | undefined> {
    return this.#db.transaction().execute((tx) => raiseFence(tx, stream, writer))
  }

  /**
   * Commits events at once.
   * @throws RefusedError
   */
  append(stream: string, writer: Writer | undefined, additions: Addition[]): Promise<StoredEvent[]> {
    return this.enqueue(stream, writer, () => additions, true)
  }

  /**
   * Commits with the next group what `take` gives at that moment.
   * @param soon commit without waiting for the batch interval
   * @throws RefusedError
   */
  enqueue(stream: string, writer: Writer | undefined, take: () => Addition[], soon: boolean): Promise<StoredEvent[]> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ stream, writer, take, soon, resolve, reject })
      this.#schedule(soon)
    })
  }

  /** Tells this process's readers of events that the caller has committed in a transaction of its own. */
  publish(stream: string, events: StoredEvent[]): void {
    const ring = this.#rings.get(stream)
    if (!ring || events.length === 0) return
    // A gap (another process wrote in between) would be served as truth: start the ring anew after it.
    if (ring.events.length > 0 && ring.events.at(-1)!.id + 1 !== events[0]!.id) ring.events = []
    ring.events.push(...events)
    if (ring.events.length > RING_EVENTS) ring.events.splice(0, ring.events.length - RING_EVENTS)
    for (const wake of ring.followers) wake()
  }

  /**
   * Yields committed events after a number, in order and in batches, until the final one or until the signal aborts.
   * @param after the number of the last event already known; 0 for all
   */
  async *follow(stream: string, after: number, signal: AbortSignal): AsyncGenerator<StoredEvent[]> {
    let woken = Promise.withResolvers<void>()
    const wake = () => woken.resolve()
    const ring = this.#join(stream, wake)
    signal.addEventListener('abort', wake)
    try {
      let last = after
      while (!signal.aborted) {
        woken = Promise.withResolvers<void>()
        const events = fromRing(ring, last) ?? (await readEvents(this.#db, stream, last))
        if (events.length === 0) {
          await woken.promise
          continue
        }
        last = events.at(-1)!.id
        yield events
        if (isFinal(events.at(-1)!.type)) return
      }
    } finally {
      signal.removeEventListener('abort', wake)
      this.#leave(stream, wake)
    }
  }

  /** Commits what waits. Nothing may be appended afterwards. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    await this.#committing
    await this.#commit()
    this.#unlisten?.()
  }

  #join(stream: string, wake: () => void): Ring {
    const ring = this.#rings.get(stream) ?? { events: [], followers: new Set() }
    ring.followers.add(wake)
    this.#rings.set(stream, ring)
    this.#unlisten ??= this.#foreign.listen(() => this.#wakeAll())
    return ring
  }

  #leave(stream: string, wake: () => void): void {
    const ring = this.#rings.get(stream)
    ring?.followers.delete(wake)
    if (ring?.followers.size === 0) this.#rings.delete(stream)
    if (this.#rings.size > 0) return
    this.#unlisten?.()
    this.#unlisten = undefined
  }

  /** After a foreign commit nobody knows which stream it was for: those that have moved wake their readers. */
  #wakeAll(): void {
    const streams = [...this.#rings.keys()]
    void this.#db
      .selectFrom('event_streams')
      .select(['stream_id', 'head'])
      .where('stream_id', 'in', streams)
      .execute()
      .then((heads) => {
        for (const { stream_id, head } of heads) {
          const ring = this.#rings.get(stream_id)
          if (!ring || ring.events.at(-1)?.id === head) continue
          ring.events = []
          for (const wake of ring.followers) wake()
        }
      })
      .catch(() => {
        for (const ring of this.#rings.values()) for (const wake of ring.followers) wake()
      })
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
    const outcomes: (StoredEvent[] | RefusedError)[] = []
    try {
      await this.#db.transaction().execute(async (tx) => {
        for (const { stream, writer, take } of group) {
          const added = await addEvents(tx, stream, writer, take())
          outcomes.push('events' in added ? added.events : new RefusedError(stream, added.refused))
        }
      })
    } catch (error) {
      for (const { reject } of group) reject(error)
      return
    } finally {
      this.#lastCommit = performance.now()
    }
    for (const [index, waiting] of group.entries()) {
      const outcome = outcomes[index]!
      if (outcome instanceof RefusedError) {
        waiting.reject(outcome)
        continue
      }
      this.publish(waiting.stream, outcome)
      waiting.resolve(outcome)
    }
  }
}

function fromRing(ring: Ring, after: number): StoredEvent[] | undefined {
  const first = ring.events[0]?.id
  if (first === undefined || after + 1 < first) return undefined
  return ring.events.slice(after + 1 - first)
}

/** Writes the text of one model call: what arrives within a batch interval becomes one `content` event. */
export class TextWriter {
  readonly #log: EventLog
  readonly #stream: string
  readonly #writer: Writer
  readonly #step: number
  readonly #refused = new AbortController()
  #buffer = ''
  #committed: Promise<unknown> | undefined
  #first = true

  constructor(log: EventLog, stream: string, writer: Writer, step: number) {
    this.#log = log
    this.#stream = stream
    this.#writer = writer
    this.#step = step
  }

  /** Aborts, with the RefusedError or the database's error as reason, when a write fails. */
  get failed(): AbortSignal {
    return this.#refused.signal
  }

  /** Takes a piece of text; resolves at once unless too much waits to be committed. */
  async write(text: string): Promise<void> {
    this.#buffer += text
    if (!this.#committed) this.#start()
    if (this.#buffer.length > MAX_BUFFERED_TEXT) await this.#committed
  }

  /** Resolves when everything written is committed. @throws RefusedError */
  async flush(): Promise<void> {
    while (this.#committed || this.#buffer !== '') {
      if (!this.#committed) this.#start()
      await this.#committed
    }
    this.#refused.signal.throwIfAborted()
  }

  #start(): void {
    const soon = this.#first
    this.#first = false
    this.#committed = this.#log
      .enqueue(this.#stream, this.#writer, () => this.#take(), soon)
      .catch((error: unknown) => this.#refused.abort(error))
      .finally(() => {
        this.#committed = undefined
        if (this.#buffer !== '' && !this.#refused.signal.aborted) this.#start()
      })
  }

  #take(): Addition[] {
    const content = this.#buffer
    this.#buffer = ''
    return [{ event: { type: 'content', data: { content, step: this.#step } } }]
  }
}
