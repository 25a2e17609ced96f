// A stream with any number of readers over one connection, which is open for as long as one of them reads.
import { ConnectionLostError } from '../errors.ts'
import type { StreamEvent } from './event-stream.ts'

export interface FollowedOptions<E> {
  /** The events after a number, up to the final one. */
  open: (after: number, signal: AbortSignal) => AsyncGenerator<StreamEvent, void, undefined>
  /** Makes what one reader gets of each event: it is called with all of them in order, also with those before the first that it gets. */
  view: () => (event: StreamEvent) => E
  /** Called for each event once, in order. */
  take: (event: StreamEvent) => void
  isFinal: (type: string) => boolean
  /** Called when a reader is at the end, with the last event that it got; may throw what the reader gets then. */
  ended?: (last: E | undefined) => void
  signal?: AbortSignal | undefined
}

interface Connection {
  events: AsyncGenerator<StreamEvent, void, undefined>
  abort: AbortController
}

/** What is kept for readers that begin late or read slowly, in bytes as estimated. */
const KEPT = 8 * 2 ** 20
/** Of an event besides its data. */
const OVERHEAD = 400

/** What an event counts for. */
const weightOf = ({ size }: StreamEvent) => 2 * size + OVERHEAD

const DONE = { done: true, value: undefined } as const

export class Followed<E> {
  readonly #options: FollowedOptions<E>
  /** The latest events; older ones are read from the server again. */
  #kept: StreamEvent[] = []
  /** How many came before those. */
  #dropped = 0
  #size = 0
  #last = 0
  #isOver = false
  #readers = 0
  #connection: Connection | undefined
  #step: Promise<void> | undefined

  constructor(options: FollowedOptions<E>) {
    this.#options = options
  }

  /** The number of the last event. */
  get last(): number {
    return this.#last
  }

  /** Reads one more event, once for all who wait for it. @returns false after the final one */
  async advance(): Promise<boolean> {
    if (this.#isOver) return false
    const step = (this.#step ??= this.#read())
    try {
      await step
    } finally {
      if (this.#step === step) this.#step = undefined
    }
    return true
  }

  async #read(): Promise<void> {
    const { open, signal, take, isFinal } = this.#options
    if (!this.#connection) {
      const abort = new AbortController()
      const both = signal ? AbortSignal.any([signal, abort.signal]) : abort.signal
      this.#connection = { events: open(this.#last, both), abort }
    }
    const connection = this.#connection
    let event: StreamEvent | void
    try {
      event = (await connection.events.next()).value
    } catch (error) {
      if (connection === this.#connection) this.#connection = undefined
      throw error
    }
    // Its readers have left meanwhile.
    if (connection !== this.#connection) return
    if (!event) {
      this.#connection = undefined
      throw new ConnectionLostError('The stream ended before its final event', { lastEventId: this.#last })
    }
    this.#last = event.id ?? this.#last
    this.#keep(event)
    take(event)
    if (isFinal(event.type)) {
      this.#isOver = true
      this.#close()
    }
  }

  #keep(event: StreamEvent): void {
    this.#kept.push(event)
    this.#size += weightOf(event)
    // The latest stays, however large: it was not read yet.
    if (this.#size <= KEPT || this.#kept.length < 2) return
    const dropped = this.#kept.splice(0, this.#kept.length >> 1)
    this.#dropped += dropped.length
    for (const each of dropped) this.#size -= weightOf(each)
  }

  #close(): void {
    const connection = this.#connection
    this.#connection = undefined
    this.#step = undefined
    connection?.abort.abort()
    connection?.events.return().catch(() => undefined)
  }

  /**
   * Every event after a number, and the final one: kept events at once, dropped ones over a connection of the reader's own,
   * until it has caught up with the kept ones.
   * @param begun what must have happened before
   */
  events(after: number, begun?: Promise<unknown>): AsyncIterableIterator<E> {
    const { open, signal, isFinal, ended } = this.#options
    const view = this.#options.view()
    const abort = new AbortController()
    let own: AsyncGenerator<StreamEvent, void, undefined> | undefined
    let next = 0
    let last = 0
    let latest: E | undefined
    const pull = async (): Promise<E | undefined> => {
      await begun
      for (;;) {
        if (next < this.#dropped) own ??= open(last, signal ? AbortSignal.any([signal, abort.signal]) : abort.signal)
        const event = own ? (await own.next()).value : this.#kept[next - this.#dropped]
        if (!event) {
          if (own || !(await this.advance())) break
          continue
        }
        next++
        last = event.id ?? last
        const at = last - (this.#kept[0]?.id ?? Infinity)
        if (own && this.#kept[at]?.id === last) {
          own.return().catch(() => undefined)
          own = undefined
          next = this.#dropped + at + 1
        }
        const viewed = view(event)
        if (last > after || isFinal(event.type)) return (latest = viewed)
      }
      ended?.(latest)
      return undefined
    }
    return this.iterate(pull, () => {
      abort.abort()
      own?.return().catch(() => undefined)
    })
  }

  /** Reads until it is enough, or to the end. @param begun what must have happened before */
  async readUntil(isEnough: () => boolean, begun?: Promise<unknown>): Promise<void> {
    const reading = this.iterate(async () => {
      await begun
      while (!isEnough()) if (!(await this.advance())) break
      return undefined
    })
    await reading.next()
  }

  /** Counts as a reader until it is left or has ended. @param pull gives the next value, undefined at the end */
  iterate<T>(pull: () => Promise<T | undefined>, left?: () => void): AsyncIterableIterator<T> {
    let state: 'new' | 'reading' | 'over' = 'new'
    let settle: ((result: IteratorResult<T>) => void) | undefined
    let queue: Promise<unknown> = Promise.resolve()
    const end = () => {
      if (state === 'reading' && --this.#readers === 0) this.#close()
      state = 'over'
      settle?.(DONE)
      left?.()
    }
    const step = () =>
      new Promise<IteratorResult<T>>((resolve, reject) => {
        if (state === 'over') return resolve(DONE)
        if (state === 'new') this.#readers++
        state = 'reading'
        settle = resolve
        pull().then(
          (value) => {
            if (value === undefined) end()
            resolve(value === undefined ? DONE : { done: false, value })
          },
          (error: unknown) => {
            // Left meanwhile: settled already.
            reject(error as Error)
            end()
          },
        )
      })
    return {
      [Symbol.asyncIterator]() {
        return this
      },
      next: () => {
        const result = queue.then(step)
        queue = result.catch(() => undefined)
        return result
      },
      // Not queued: it also ends a wait for the next value.
      return: async () => {
        end()
        return DONE
      },
    }
  }
}
