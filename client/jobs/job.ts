// A job that is followed: its progress, and what it results in.
import type { JobProgress, JobResult, ReembedResult, TurnEventData } from '../../contracts/events.ts'
import type { ErrorBody } from '../../contracts/failures.ts'
import { errorOf } from '../errors.ts'
import type { StreamEvent } from '../streams/event-stream.ts'
import type { Timing } from '../streams/follow.ts'
import { isFinalOfJob, unlessEnded } from '../streams/final-events.ts'
import { Followed } from '../streams/followed.ts'
import { type Http, newKey } from '../http.ts'

type JobEventType = 'progress' | 'completed' | 'failed' | 'cancelled'

export type JobEvent = { [T in JobEventType]: { id: number; type: T; data: TurnEventData[T] } }[JobEventType]

export interface FollowJobOptions {
  /** Stops reading. The job goes on: `cancel()` ends it. */
  signal?: AbortSignal | undefined
  /** The last event that is known already: iterating goes on after it. */
  after?: number | undefined
  timing?: Partial<Timing> | undefined
}

const viewOf = ({ id, type, data }: StreamEvent) => ({ id, type, data }) as JobEvent

/** The events of the job after a number, over another connection than one of its own. */
export type JobSource = (after: number, signal: AbortSignal) => AsyncGenerator<StreamEvent, void, undefined>

/** Iterating gives every event, once, in order; after a `failed` event it throws that error. */
export class FollowedJob implements AsyncIterable<JobEvent> {
  readonly id: string
  readonly #http: Http
  readonly #after: number
  readonly #followed: Followed<JobEvent>
  #progress: JobProgress | undefined
  #end: JobEvent | undefined

  constructor(http: Http, id: string, { signal, after = 0, timing }: FollowJobOptions = {}, source?: JobSource) {
    this.id = id
    this.#http = http
    this.#after = after
    this.#followed = new Followed<JobEvent>({
      open:
        source ??
        async function* (from, stop) {
          yield* (await import('./job-events.ts')).jobEvents(http, id, from, stop, timing)
        },
      view: () => viewOf,
      take: (taken) => {
        const event = viewOf(taken)
        if (event.type === 'progress') this.#progress = event.data
        else this.#end = event
      },
      isFinal: isFinalOfJob,
      ended: (last) => {
        if (last?.type === 'failed') throw errorOf(last.data as ErrorBody)
      },
      signal,
    })
  }

  /** The latest that has been read. */
  get progress(): JobProgress | undefined {
    return this.#progress
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<JobEvent> {
    return this.#followed.events(this.#after)
  }

  /** What the job results in; undefined when it was cancelled. @throws MuxiError when it fails */
  async result(): Promise<JobResult | ReembedResult | undefined> {
    await this.#followed.readUntil(() => false)
    const end = this.#end
    if (end?.type === 'failed') throw errorOf(end.data as ErrorBody)
    return end?.type === 'completed' ? end.data.result : undefined
  }

  /** Ends the job; nothing of it stays in the index. */
  async cancel(): Promise<void> {
    await this.#http.json('POST', `/jobs/${this.id}/cancel`, { idempotencyKey: newKey() }).catch(unlessEnded)
  }
}
