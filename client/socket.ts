// A socket: many turns, jobs and questions at once over one connection, which is made with the first of them.
import type { Static } from '@sinclair/typebox'
import type { ChangeOp, Topic } from '../contracts/feed.ts'
import type { DecisionSchema } from '../contracts/schemas/approvals.ts'
import type { ConversationSchema } from '../contracts/schemas/conversations.ts'
import type { JobSchema } from '../contracts/schemas/job-views.ts'
import type { TurnBriefSchema } from '../contracts/schemas/turns.ts'
import { sleep } from './backoff.ts'
import { type MessageOptions, requestOf } from './chat-request.ts'
import { type Http, newKey } from './http.ts'
import { FollowedJob, type FollowJobOptions } from './job.ts'
import type { SocketConnection, SocketTiming } from './socket-connection.ts'
import { isFinalEvent, type ResumeOptions, Turn, type TurnOptions, type TurnSource } from './turn.ts'
import type { AgentBrief, Approval, TurnRecord } from './types.ts'

export type { Topic }

interface Items {
  agents: AgentBrief
  approvals: Approval
  conversations: Static<typeof ConversationSchema>
  jobs: Static<typeof JobSchema>
  turns: Static<typeof TurnBriefSchema>
}

/** A change; `subscribed` comes first and after each reconnection: changes may have been missed, so the lists are to be read again. */
export type SocketChange =
  | { type: 'subscribed'; data: { topics: Topic[] } }
  | {
      type: 'changed'
      data: { [T in Topic]: { topic: T; id: string; op: ChangeOp; item: Items[T] | null } }[Topic]
    }

export interface SocketMessageOptions extends MessageOptions, Pick<TurnOptions, 'signal' | 'idempotencyKey'> {}

const isFinalOfJob = (type: string) => type === 'completed' || type === 'failed' || type === 'cancelled'
/** How long closing waits until the server has accepted what was sent. */
const SETTLE_MS = 10_000

const load = async () => {
  const [connection, events, answers] = await Promise.all([
    import('./socket-connection.ts'),
    import('./socket-events.ts'),
    import('./socket-answers.ts'),
  ])
  return { ...connection, ...events, ...answers }
}
type Parts = Awaited<ReturnType<typeof load>>

export class MuxiSocket {
  readonly #http: Http
  readonly #timing: Partial<SocketTiming> | undefined
  readonly #unanswered = new Set<Promise<void>>()
  #opened: Promise<[Parts, SocketConnection]> | undefined
  #isClosed = false

  constructor(http: Http, timing?: Partial<SocketTiming>) {
    this.#http = http
    this.#timing = timing
  }

  /** Sends a message. */
  sendMessage(text: string, options: SocketMessageOptions = {}): Turn {
    const { agentName, idempotencyKey = newKey() } = options
    const message = requestOf(this.#http, text, options).then((request) =>
      JSON.stringify({
        ...request,
        ...(agentName !== undefined && { agent_id: agentName }),
        idempotency_key: idempotencyKey,
      }),
    )
    message.catch(() => undefined)
    return new Turn(this.#source(message), { signal: options.signal })
  }

  /** Alias of `sendMessage`; options may have `agent_name`. */
  send_message(text: string, { agent_name, ...options }: SocketMessageOptions & { agent_name?: string } = {}): Turn {
    return this.sendMessage(text, { ...options, agentName: options.agentName ?? agent_name })
  }

  /** Follows a turn of which the id is known. */
  resume(turnId: string, options: Omit<ResumeOptions, 'timing'> = {}): Turn {
    return new Turn(this.#source(), options, turnId)
  }

  /** Follows a job. */
  followJob(jobId: string, options: Omit<FollowJobOptions, 'timing'> = {}): FollowedJob {
    const events = (after: number, signal: AbortSignal) => this.#events({ job_id: jobId }, after, signal)
    return new FollowedJob(this.#http, jobId, options, events)
  }

  /** The changes of some topics, for as long as they are read or until the signal is aborted. */
  async *subscribe(
    topics: readonly Topic[],
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<SocketChange, void, undefined> {
    const [{ changesOf }, connection] = await this.#open()
    yield* changesOf(connection, topics, signal)
  }

  /** Ends a turn. Resolves when it has ended. */
  async cancel(turnId: string): Promise<void> {
    await this.#ask('cancel', { turn_id: turnId })
  }

  /** Decides what a turn waits for. */
  async approve(turnId: string, approvalId: string, decision: Static<typeof DecisionSchema>): Promise<void> {
    await this.#ask('approve', { turn_id: turnId, approval_id: approvalId, ...decision })
  }

  /** @returns the time until the server has answered, in milliseconds */
  async ping(): Promise<number> {
    const begun = performance.now()
    await this.#ask('ping', {})
    return performance.now() - begun
  }

  /** Waits until the server has accepted what was sent, at most 10 s, and closes the connection. Turns go on. */
  async close(): Promise<void> {
    this.#isClosed = true
    const timer = new AbortController()
    const late = sleep(SETTLE_MS, timer.signal).catch(() => undefined)
    await Promise.race([Promise.all(this.#unanswered), late])
    timer.abort()
    const [, connection] = (await this.#opened) ?? []
    await connection?.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #open(): Promise<[Parts, SocketConnection]> {
    if (this.#isClosed && !this.#opened) throw new TypeError('Cannot use the socket: it was closed')
    this.#opened ??= load().then((parts) => [parts, new parts.SocketConnection(this.#http, this.#timing)])
    return this.#opened
  }

  #source(message?: Promise<string>): TurnSource {
    const events = this.#events.bind(this)
    return {
      events: (turnId, after, signal) => {
        const id = turnId()
        return events(id === undefined ? undefined : { turn_id: id }, after, signal, message)
      },
      record: (turnId) => this.#http.json<TurnRecord>('GET', `/turns/${turnId}`),
      cancel: (turnId) => this.cancel(turnId),
    }
  }

  async *#events(
    of: { turn_id: string } | { job_id: string } | undefined,
    after: number,
    signal: AbortSignal,
    message?: Promise<string>,
  ) {
    const answered = of ? undefined : this.#awaitAnswer()
    try {
      const [{ socketEvents }, connection] = await this.#open()
      const isFinal = of && 'job_id' in of ? isFinalOfJob : isFinalEvent
      const sent = of ? undefined : await message
      for await (const event of socketEvents(connection, { message: sent, of, after, signal, isFinal })) {
        answered?.()
        yield event
      }
    } finally {
      answered?.()
    }
  }

  async #ask(type: string, data: object): Promise<void> {
    const answered = this.#awaitAnswer()
    try {
      const [{ ask }, connection] = await this.#open()
      await ask(connection, type, data)
    } finally {
      answered()
    }
  }

  /** Closing waits until the function is called. */
  #awaitAnswer(): () => void {
    let answered = () => {}
    const promise = new Promise<void>((resolve) => {
      answered = resolve
    })
    this.#unanswered.add(promise)
    return () => {
      answered()
      this.#unanswered.delete(promise)
    }
  }
}
