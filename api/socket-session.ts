// One WebSocket: many requests at once, and the same events with the same ids as over SSE.
import type { Writable } from 'node:stream'
import type { RawData } from 'ws'
import { isFinal, type StoredEvent } from '../contracts/events.ts'
import { MuxiError } from '../contracts/failures.ts'
import { newId } from '../contracts/ids.ts'
import type { RateClass } from '../contracts/rate-limits.ts'
import { AUTO } from '../contracts/routing.ts'
import type { FrameData, FrameType } from '../contracts/schemas/frames.ts'
import { endOfJob } from '../db/queries/job-ends.ts'
import type { Principal } from '../db/queries/keys.ts'
import type { JobsTable, TurnsTable } from '../db/schema.ts'
import { toMuxiError } from './errors.ts'
import { numberedJson } from './event-json.ts'
import type { ServerSocket } from './server-socket.ts'
import { authorize } from './services/access.ts'
import { decide } from './services/approvals.ts'
import { acceptMessage } from './services/chat.ts'
import type { ApiContext } from './services/context.ts'
import { lastEvent, resumeEvents } from './services/events.ts'
import { followJob, getJobOrThrow } from './services/jobs.ts'
import { cancelTurn, getTurnOrThrow } from './services/turns.ts'
import { checkFrame, parseFrame } from './socket-frames.ts'
import { CLOSE, SocketWriter } from './socket-writer.ts'

const MAX_REQUESTS_A_SOCKET = 200
/** Bytes of frames in progress from which no more are read: besides small ones there is one large frame at a time. */
const MAX_TAKEN = 2 ** 20

const SERVER_NAME: Partial<Record<StoredEvent['type'], string>> = {
  message_start: 'chat_start',
  content: 'chat_content',
  message_end: 'chat_end',
}

/** Who has opened a socket. */
export interface SocketOwner {
  principal: Principal
  /** The network address. */
  address: string | undefined
  /** What the socket writes to. */
  connection: Writable | undefined
  /** Aborts when the key is no longer valid. */
  revoked: AbortSignal
}

/** Logged. */
export const SLOW = 'a reader of a WebSocket was too slow and is disconnected'
/** Frames that change something. */
const CHANGES = new Set<FrameType | undefined>(['chat', 'cancel', 'approve'])
/** Frames that are answered by a stream, under an id that no other stream has at the same time. */
const STREAMS = new Set<FrameType>(['chat', 'resume'])
/** Frames that keys with another scope than `chat` may send. */
const OTHER_SCOPES = new Set<FrameType>(['subscribe', 'ping'])

/** What is sent after the request itself has been read and is no longer needed. */
type Rest = (() => Promise<void>) | undefined

interface Request {
  id: string
  type: FrameType | undefined
}

/** Reads frames, answers each under its id, and stops its subscriptions when it closes. */
export class SocketSession {
  readonly #socket: ServerSocket
  readonly #writer: SocketWriter
  readonly #context: ApiContext
  readonly #principal: Principal
  readonly #address: string | undefined
  /** What has a stream, by the id under which it is sent. */
  readonly #streams = new Map<string, Request>()
  readonly #subscriptions = new Map<string, AbortController>()
  #requests = 0
  /** Bytes of frames whose requests have not been accepted yet. */
  #taken = 0

  constructor(socket: ServerSocket, context: ApiContext, { principal, address, connection, revoked }: SocketOwner) {
    this.#socket = socket
    this.#writer = new SocketWriter(socket, connection, () => context.log.warn({ key_id: principal.key_id }, SLOW))
    this.#context = context
    this.#principal = principal
    this.#address = address
    revoked.addEventListener('abort', () => this.#writer.close(CLOSE.unauthorized, 'the key is no longer valid'), {
      signal: this.#writer.closed,
    })
  }

  take(data: RawData, isBinary: boolean): Promise<void> {
    const request: Request = { id: '', type: undefined }
    // Frames that arrive before the peer confirms the close are not answered.
    if (this.#writer.closed.aborted) return Promise.resolve()
    this.#requests += 1
    return this.#finish(request, this.#begin(request, data as Buffer, isBinary))
  }

  /** Has no reference to the frame, which may be large: a turn may be followed for hours. */
  async #finish(request: Request, begun: Promise<Rest>): Promise<void> {
    try {
      const rest = await begun
      await rest?.()
    } catch (error) {
      this.#refuse(request, error)
    } finally {
      this.#requests -= 1
      if (this.#streams.get(request.id) === request) this.#streams.delete(request.id)
    }
  }

  /** Gives the request its id for a stream. @throws MuxiError conflict, which is sent under no id: the reader of the other stream would take it for its own */
  #occupy(request: Request): void {
    const { id } = request
    if (!this.#streams.has(id)) {
      this.#streams.set(id, request)
      return
    }
    request.id = ''
    throw new MuxiError('conflict', "Cannot use this 'id': a stream has it until its final event", {
      details: { id_in_use: id },
    })
  }

  #refuse({ id, type }: Request, error: unknown): void {
    const failure = toMuxiError(error, this.#context.log)
    const body = failure.toBody()
    const request_id = newId('req')
    const retry_after_s = failure.retryAfter === undefined ? undefined : Math.ceil(failure.retryAfter)
    const details = { ...body.details, ...(retry_after_s !== undefined && { retry_after_s }), request_id }
    this.#send('error', id, { ...body, details })
    const isRefusal = failure.status === 403 || failure.status === 429
    if (isRefusal || CHANGES.has(type)) this.#note(type ?? 'frame', failure.status, request_id)
  }

  #note(type: FrameType | 'frame', status: number, request_id: string | null = null): void {
    const [principal, address] = [this.#principal, this.#address]
    this.#context.audit.note({ principal, address, action: `ws ${type}`, path: '/api/v1/ws', status, request_id })
  }

  /** Reads a frame and does what it asks, up to what follows when the frame is no longer needed. */
  async #begin(request: Request, data: Buffer, isBinary: boolean): Promise<Rest> {
    this.#taken += data.byteLength
    if (this.#taken > MAX_TAKEN) this.#socket.pause()
    try {
      const read = await parseFrame(data, isBinary, (id) => (request.id = id))
      if (this.#requests > MAX_REQUESTS_A_SOCKET)
        throw new MuxiError('rate_limited', 'Too many requests at once on one socket', { retryAfter: 1 })
      const frame = checkFrame(read)
      request.type = frame.type
      this.#context.requestCounts.add(`ws ${frame.type}`)
      if (!OTHER_SCOPES.has(frame.type)) authorize(this.#principal, 'chat')
      if (STREAMS.has(frame.type)) this.#occupy(request)
      return await this.#answer(frame.type, request.id, frame.data)
    } finally {
      this.#taken -= data.byteLength
      if (this.#taken <= MAX_TAKEN && this.#socket.isPaused) this.#socket.resume()
    }
  }

  async #answer(type: FrameType, id: string, data: unknown): Promise<Rest> {
    switch (type) {
      case 'chat':
        return this.#chat(id, data as FrameData<'chat'>)
      case 'resume':
        return this.#resume(id, data as FrameData<'resume'>)
      case 'cancel':
        return this.#cancel(id, data as FrameData<'cancel'>)
      case 'approve':
        return this.#approve(id, data as FrameData<'approve'>)
      case 'subscribe':
        return this.#subscribe(id, data as FrameData<'subscribe'>)
      case 'ping':
        this.#send('pong', id, {})
        return undefined
    }
  }

  /** @throws MuxiError rate_limited */
  async #admit(kind: RateClass): Promise<void> {
    if (this.#context.auth) await this.#context.rateLimiter.admitOrThrow(this.#principal, kind)
  }

  async #chat(id: string, { agent_id = AUTO, idempotency_key, ...request }: FrameData<'chat'>): Promise<Rest> {
    await this.#admit('chat')
    const accepted = await acceptMessage(this.#context, this.#principal, {
      agent_id,
      request,
      idempotency_key,
      route: `chat/${agent_id}`,
    })
    this.#note('chat', 202)
    if (request.background) {
      this.#send('accepted', id, accepted)
      return undefined
    }
    const turn = await getTurnOrThrow(this.#context, this.#principal, accepted.turn_id)
    return () => this.#follow(id, turn, 0)
  }

  async #resume(id: string, { after = 0, ...what }: FrameData<'resume'>): Promise<Rest> {
    await this.#admit('read')
    if ('job_id' in what) {
      const job = await getJobOrThrow(this.#context, this.#principal, what.job_id)
      return () => this.#followJob(id, job, after)
    }
    const turn = await getTurnOrThrow(this.#context, this.#principal, what.turn_id)
    return () => this.#follow(id, turn, after)
  }

  /** The answer is the turn's final event, also when that takes long. */
  async #cancel(id: string, { turn_id }: FrameData<'cancel'>): Promise<Rest> {
    const turn = await getTurnOrThrow(this.#context, this.#principal, turn_id)
    await this.#admit('write')
    await cancelTurn(this.#context, turn)
    const { db, events } = this.#context.storage
    const last = await lastEvent(db, await getTurnOrThrow(this.#context, this.#principal, turn_id))
    this.#note('cancel', isFinal(last.type) ? 200 : 202)
    if (isFinal(last.type)) {
      this.#sendEvent(id, last)
      return undefined
    }
    return async () => {
      for await (const batch of events.follow(turn_id, last.id, this.#writer.closed))
        for (const event of batch) if (isFinal(event.type)) this.#sendEvent(id, event)
    }
  }

  async #approve(id: string, { turn_id, approval_id, ...decision }: FrameData<'approve'>): Promise<undefined> {
    await this.#admit('write')
    const turn = await getTurnOrThrow(this.#context, this.#principal, turn_id)
    const { event } = await decide(this.#context, this.#principal, turn, approval_id, decision)
    this.#note('approve', 200)
    if (event) this.#sendEvent(id, event)
    else this.#send('approval_decided', id, { id: approval_id, decision: decision.decision })
  }

  /** Takes the place of the subscription under the same id; without topics that one ends. */
  async #subscribe(id: string, { topics }: FrameData<'subscribe'>): Promise<Rest> {
    await this.#admit('read')
    if (topics.length === 0) {
      this.#subscriptions.get(id)?.abort()
      this.#send('subscribed', id, { topics })
      return undefined
    }
    const subscription = new AbortController()
    const signal = AbortSignal.any([subscription.signal, this.#writer.closed])
    const changes = await this.#context.feed.subscribe(this.#principal, topics, signal)
    this.#subscriptions.get(id)?.abort()
    this.#subscriptions.set(id, subscription)
    this.#send('subscribed', id, { topics })
    return async () => {
      for await (const batch of changes) {
        for (const { json } of batch) this.#writer.send('changed', id, json)
        if (this.#writer.isFull) await this.#writer.drained()
      }
      if (this.#subscriptions.get(id) === subscription) this.#subscriptions.delete(id)
      // Too slow, or changes were lost: the client reads the lists again.
      if (!signal.aborted) this.#writer.disconnectSlow()
    }
  }

  async #follow(id: string, turn: TurnsTable, after: number): Promise<void> {
    const { storage } = this.#context
    const events = await resumeEvents(storage, turn, after, this.#writer.closed)
    // No events are left: repeats the final event.
    if (!events) return this.#sendEvent(id, await lastEvent(storage.db, turn))
    await this.#sendAll(id, events)
  }

  async #followJob(id: string, job: JobsTable, after: number): Promise<void> {
    const events = await followJob(this.#context.storage, job, after, this.#writer.closed)
    if (!events) return this.#sendEvent(id, { ...endOfJob(job), id: after })
    await this.#sendAll(id, events)
  }

  async #sendAll(id: string, events: AsyncGenerator<StoredEvent[]>): Promise<void> {
    for await (const batch of events)
      for (const event of batch) {
        this.#sendEvent(id, event)
        if (this.#writer.isFull) await this.#writer.drained()
      }
  }

  #sendEvent(id: string, event: StoredEvent): void {
    // The client may use the id as soon as it has this.
    if (isFinal(event.type)) this.#streams.delete(id)
    this.#writer.send(SERVER_NAME[event.type] ?? event.type, id, numberedJson(event))
  }

  #send(type: string, id: string, data: unknown): void {
    this.#writer.send(type, id, JSON.stringify(data))
  }
}
