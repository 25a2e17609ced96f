// The live feed: each change of a list, read once in this process and sent to all subscribers that may see it.
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { MuxiError } from '../../contracts/failures.ts'
import { TOPIC_SCOPES, TOPICS, type ChangeOp, type Topic } from '../../contracts/feed.ts'
import { ChangeReader, type Change } from '../../db/change-reader.ts'
import type { Principal } from '../../db/queries/keys.ts'
import type { Db } from '../../db/schema.ts'
import { isDatabaseAway } from '../../db/storage.ts'
import { authorize } from './access.ts'

/** Between two looks at the changes, in milliseconds. */
const POLL_MS = 150
/** Changes that a subscriber may be behind. */
const MAX_BEHIND = 1_000
/** Without the database for so many milliseconds changes may have been lost: readers have to read the lists again. */
const MAX_AWAY_MS = 60_000

/** Reads items by their ids, in the form of their list. @returns by id, without those that were deleted */
export type Viewers = Record<Topic, (ids: string[]) => Promise<Map<string, object>>>

/** A change as it is sent. */
export interface FeedChange {
  topic: Topic
  user_id: string | null
  /** JSON of `{topic, id, op, item}`. */
  json: string
}

interface Subscriber {
  topics: ReadonlySet<Topic>
  /** Undefined: of all users. */
  user: string | undefined
  waiting: FeedChange[]
  wake: () => void
  /** Too slow, or changes were lost. */
  over: boolean
  onOver: () => void
}

export interface FeedOptions {
  db: Db
  viewers: Viewers
  log: Pick<Logger, 'warn'>
}

export class Feed {
  readonly #options: FeedOptions
  readonly #subscribers = new Set<Subscriber>()
  /** Runs while there are subscribers. */
  #reader: Promise<ChangeReader> | undefined

  constructor(options: FeedOptions) {
    this.#options = options
  }

  /**
   * Every change that is committed after this has resolved, in batches, until the signal aborts or the reader is too slow.
   * @param topics default: all that the key may see
   * @param onOver is called when the feed ends by itself, also while the reader takes nothing
   * @throws MuxiError forbidden
   */
  async subscribe(
    principal: Principal,
    topics: readonly Topic[] | undefined,
    signal: AbortSignal,
    onOver: () => void = () => undefined,
  ): Promise<AsyncGenerator<FeedChange[]>> {
    for (const topic of topics ?? []) authorize(principal, TOPIC_SCOPES[topic])
    const subscriber: Subscriber = {
      topics: new Set(topics ?? TOPICS.filter((topic) => mayRead(principal, topic))),
      user: principal.bound_user,
      waiting: [],
      wake: () => undefined,
      over: false,
      onOver,
    }
    this.#subscribers.add(subscriber)
    const leave = () => {
      this.#subscribers.delete(subscriber)
      subscriber.wake()
    }
    signal.addEventListener('abort', leave, { once: true })
    if (signal.aborted) leave()
    try {
      await (this.#reader ??= this.#begin())
    } catch (error) {
      leave()
      throw error
    }
    return this.#follow(subscriber, signal, leave)
  }

  async *#follow(subscriber: Subscriber, signal: AbortSignal, leave: () => void): AsyncGenerator<FeedChange[]> {
    try {
      while (!signal.aborted && !subscriber.over) {
        if (subscriber.waiting.length > 0) yield subscriber.waiting.splice(0)
        else
          await new Promise<void>((resolve) => {
            subscriber.wake = resolve
          })
      }
    } finally {
      signal.removeEventListener('abort', leave)
      leave()
    }
  }

  async #begin(): Promise<ChangeReader> {
    try {
      const reader = await ChangeReader.fromNow(this.#options.db)
      void this.#run(reader)
      return reader
    } catch (error) {
      this.#reader = undefined
      throw error
    }
  }

  async #run(reader: ChangeReader): Promise<void> {
    let readAt = Date.now()
    while (this.#subscribers.size > 0) {
      await delay(POLL_MS, undefined, { ref: false })
      // When the last one has left, the database may be closed.
      if (this.#subscribers.size === 0) break
      try {
        await this.#readAll(reader)
        readAt = Date.now()
      } catch (error) {
        if (!isDatabaseAway(error)) this.#options.log.warn({ err: error }, 'changes could not be read')
        if (Date.now() - readAt > MAX_AWAY_MS) this.#end()
      }
    }
    this.#reader = undefined
  }

  #end(): void {
    for (const subscriber of this.#subscribers) this.#drop(subscriber)
  }

  /** A reader that takes nothing must not keep what waits for it. */
  #drop(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber)
    subscriber.over = true
    subscriber.waiting = []
    subscriber.wake()
    subscriber.onOver()
  }

  async #readAll(reader: ChangeReader): Promise<void> {
    for (let more = true; more;) {
      const batch = await reader.read()
      const viewed = await this.#view(merge(batch.changes))
      const lost = batch.taken()
      for (const subscriber of this.#subscribers) {
        deliver(subscriber, viewed)
        if (subscriber.waiting.length > MAX_BEHIND) this.#drop(subscriber)
      }
      if (lost) {
        this.#options.log.warn({}, 'too many open transactions: readers of changes have to read the lists again')
        this.#end()
      }
      more = batch.more
    }
  }

  async #view(changes: Change[]): Promise<FeedChange[]> {
    const read = new Map<Topic, Map<string, object>>()
    for (const [topic, ofTopic] of Map.groupBy(changes, (change) => change.topic)) {
      const subscribed = [...this.#subscribers].some(({ topics }) => topics.has(topic))
      const ids = ofTopic.filter(({ op }) => op !== 'deleted').map(({ item_id }) => item_id)
      if (!subscribed) continue
      read.set(topic, ids.length > 0 ? await this.#options.viewers[topic](ids) : new Map())
    }
    return changes.flatMap(({ topic, item_id: id, op, user_id }) => {
      const item = read.get(topic)?.get(id)
      // Deleted meanwhile: that is a later change.
      if (!read.has(topic) || (op !== 'deleted' && !item)) return []
      return [{ topic, user_id, json: JSON.stringify({ topic, id, op, item: item ?? null }) }]
    })
  }
}

/** Names in a comma list, whose form is that of its schema. */
export function readTopics(text: string | undefined): Topic[] | undefined {
  if (text === undefined) return undefined
  return [...new Set(text.split(',').map((name) => name.trim() as Topic))]
}

function mayRead(principal: Principal, topic: Topic): boolean {
  try {
    authorize(principal, TOPIC_SCOPES[topic])
    return true
  } catch (error) {
    if (error instanceof MuxiError) return false
    throw error
  }
}

/** One change for each item, where its last one was. */
function merge(changes: readonly Change[]): Change[] {
  const merged = new Map<string, Change>()
  for (const change of changes) {
    const key = `${change.topic} ${change.item_id}`
    const before = merged.get(key)
    merged.delete(key)
    merged.set(key, { ...change, op: mergeOps(before?.op, change.op) })
  }
  return [...merged.values()]
}

function mergeOps(before: ChangeOp | undefined, op: ChangeOp): ChangeOp {
  return before === 'created' && op === 'updated' ? 'created' : op
}

function deliver(subscriber: Subscriber, changes: readonly FeedChange[]): void {
  const { topics, user, waiting } = subscriber
  const seen = changes.filter(
    ({ topic, user_id }) =>
      topics.has(topic) && (TOPIC_SCOPES[topic] === 'read' || user === undefined || user_id === user),
  )
  if (seen.length === 0) return
  waiting.push(...seen)
  subscriber.wake()
}
