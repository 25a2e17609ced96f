// A socket: many turns, jobs and questions at once over one connection, which is made with the first of them.
import type { Static } from '@sinclair/typebox'
import type { Topic } from '../../contracts/feed.ts'
import type { DecisionSchema } from '../../contracts/schemas/approvals.ts'
import { ConnectionLostError } from '../errors.ts'
import { isFinalOfJob } from '../streams/final-events.ts'
import type { Http } from '../http.ts'
import { FollowedJob, type FollowJobOptions } from '../jobs/job.ts'
import type { SocketTiming } from './socket-connection.ts'
import type { Outgoing, SocketSession } from './socket-session.ts'
import type { SocketChange, SocketMessageOptions } from './socket-types.ts'
import { isFinalEvent, type ResumeOptions, Turn, type TurnSource } from '../turns/turn.ts'
import type { TurnRecord } from '../types.ts'

export class MuxiSocket {
  readonly #http: Http
  readonly #timing: Partial<SocketTiming> | undefined
  #session: Promise<SocketSession> | undefined
  #isClosed = false

  constructor(http: Http, timing?: Partial<SocketTiming>) {
    this.#http = http
    this.#timing = timing
  }

  /** Sends a message. */
  sendMessage(text: string, options: SocketMessageOptions = {}): Turn {
    // At once: closing waits for it.
    const outgoing = this.#load().then((session) => session.prepare(text, options))
    outgoing.catch(() => undefined)
    return new Turn(this.#source(outgoing), { signal: options.signal })
  }

  /** Alias of `sendMessage`; options may have `agent_name`. */
  send_message(text: string, { agent_name, ...options }: SocketMessageOptions & { agent_name?: string } = {}): Turn {
    return this.sendMessage(text, { ...options, agentName: options.agentName ?? agent_name })
  }

  /** Follows a turn of which the id is known. */
  resume(turnId: string, options: Omit<ResumeOptions, 'timing' | 'headers'> = {}): Turn {
    return new Turn(this.#source(), options, turnId)
  }

  /** Follows a job. */
  followJob(jobId: string, options: Omit<FollowJobOptions, 'timing'> = {}): FollowedJob {
    const load = () => this.#load()
    return new FollowedJob(this.#http, jobId, options, async function* (after, signal) {
      yield* (await load()).events({ job_id: jobId }, after, signal, isFinalOfJob)
    })
  }

  /** The changes of some topics, for as long as they are read or until the signal is aborted. */
  async *subscribe(
    topics: readonly Topic[],
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<SocketChange, void, undefined> {
    yield* (await this.#load()).changes(topics, signal)
  }

  /** Ends a turn. Resolves when it has ended. */
  cancel(turnId: string): Promise<void> {
    return this.#ask('cancel', { turn_id: turnId })
  }

  /** Decides what a turn waits for. */
  approve(turnId: string, approvalId: string, decision: Static<typeof DecisionSchema>): Promise<void> {
    return this.#ask('approve', { turn_id: turnId, approval_id: approvalId, ...decision })
  }

  /** Resolves when the server has answered. */
  ping(): Promise<void> {
    return this.#ask('ping', {})
  }

  /** Waits until the server has accepted what was sent, at most 10 s, and closes the connection. Turns go on. */
  async close(): Promise<void> {
    this.#isClosed = true
    await (await this.#session)?.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #ask(type: string, data: object): Promise<void> {
    await (await this.#load()).ask(type, data)
  }

  // Not `async`: what was asked for before closing comes first there, too.
  #load(): Promise<SocketSession> {
    if (this.#isClosed && !this.#session) return Promise.reject(new ConnectionLostError('The socket was closed'))
    if (this.#session) return this.#session
    const session = import('./socket-session.ts').then(
      ({ SocketSession: Session }) => new Session(this.#http, this.#timing),
    )
    // The next use loads it again.
    session.catch(() => {
      this.#session = undefined
    })
    return (this.#session = session)
  }

  #source(outgoing?: Promise<Outgoing>): TurnSource {
    const load = () => this.#load()
    return {
      async *events(turnId, after, signal) {
        const turn_id = turnId()
        const of = turn_id === undefined ? await outgoing! : { turn_id }
        yield* (await load()).events(of, after, signal, isFinalEvent)
      },
      record: (turnId) => this.#http.json<TurnRecord>('GET', `/turns/${turnId}`),
      cancel: (turnId) => this.cancel(turnId),
    }
  }
}
