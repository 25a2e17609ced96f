// One WebSocket: many requests at once, and the same events with the same ids as over SSE.
import type { Static, TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { RawData, WebSocket } from 'ws'
import { isFinal, type StoredEvent } from '../contracts/events.ts'
import { MuxiError } from '../contracts/failures.ts'
import { newId } from '../contracts/ids.ts'
import type { RateClass } from '../contracts/rate-limits.ts'
import { AUTO } from '../contracts/routing.ts'
import { schemaFaults } from '../contracts/schemas/faults.ts'
import { FRAME_DATA, FrameSchema, type FrameData, type FrameType } from '../contracts/schemas/frames.ts'
import { endOfJob } from '../db/queries/job-ends.ts'
import type { Principal } from '../db/queries/keys.ts'
import type { JobsTable, TurnsTable } from '../db/schema.ts'
import { invalid, toMuxiError } from './errors.ts'
import { eventJson } from './event-json.ts'
import { readJson } from './json.ts'
import { authorize } from './services/access.ts'
import { decide } from './services/approvals.ts'
import { acceptMessage } from './services/chat.ts'
import type { ApiContext } from './services/context.ts'
import { lastEvent, resumeEvents } from './services/events.ts'
import { followJob, getJobOrThrow } from './services/jobs.ts'
import { cancelTurn, getTurnOrThrow } from './services/turns.ts'

/** Unsent bytes after which a slow reader is disconnected and must resume. */
const MAX_UNSENT = 4 * 2 ** 20
const MAX_REQUESTS_A_SOCKET = 200
/** Bytes from which a frame is parsed incrementally. */
const LARGE_FRAME = 2 ** 20
/** Timeout of the closing handshake, in milliseconds. */
export const CLOSE_MS = 2_000

/** Codes with which the server closes a socket. */
export const CLOSE = { unauthorized: 4401, tooMany: 4429, slow: 1013, restart: 1012 } as const
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
  /** Aborts when the key is no longer valid. */
  revoked: AbortSignal
}

/** Frames that change something. */
const CHANGES = new Set<FrameType | undefined>(['chat', 'cancel', 'approve'])

/** Reads frames, answers each under its id, and stops its subscriptions when it closes. */
export class SocketSession {
  readonly #socket: WebSocket
  readonly #context: ApiContext
  readonly #principal: Principal
  readonly #address: string | undefined
  readonly #closed = new AbortController()
  #requests = 0

  constructor(socket: WebSocket, context: ApiContext, { principal, address, revoked }: SocketOwner) {
    this.#socket = socket
    this.#context = context
    this.#principal = principal
    this.#address = address
    socket.on('close', () => this.#closed.abort())
    revoked.addEventListener('abort', () => this.#revoke(), { signal: this.#closed.signal })
  }

  async take(data: RawData, isBinary: boolean): Promise<void> {
    // Frames that arrive before the peer confirms the close are not answered.
    if (this.#closed.signal.aborted) return
    let id = ''
    let type: FrameType | undefined
    this.#requests += 1
    try {
      const read = await this.#read(data as Buffer, isBinary)
      id = idOf(read)
      if (this.#requests > MAX_REQUESTS_A_SOCKET)
        throw new MuxiError('rate_limited', 'Too many requests at once on one socket', { retryAfter: 1 })
      authorize(this.#principal, 'chat')
      check(FrameSchema, read)
      const frame = read as Frame
      type = readType(frame)
      this.#context.requestCounts.add(`ws ${type}`)
      await this.#answer(type, id, frame.data ?? {})
    } catch (error) {
      const failure = toMuxiError(error, this.#context.log)
      const body = failure.toBody()
      const request_id = newId('req')
      this.#send('error', id, { ...body, details: { ...body.details, request_id } })
      const isRefusal = failure.status === 403 || failure.status === 429
      if (isRefusal || CHANGES.has(type)) this.#note(type ?? 'frame', failure.status, request_id)
    } finally {
      this.#requests -= 1
    }
  }

  #note(type: FrameType | 'frame', status: number, request_id: string | null = null): void {
    const [principal, address] = [this.#principal, this.#address]
    this.#context.audit.note({ principal, address, action: `ws ${type}`, path: '/api/v1/ws', status, request_id })
  }

  #revoke(): void {
    this.#closed.abort()
    this.#socket.close(CLOSE.unauthorized, 'the key is no longer valid')
    setTimeout(() => this.#socket.terminate(), CLOSE_MS).unref()
  }

  /** While a large frame is parsed, the socket is paused. */
  async #read(data: Buffer, isBinary: boolean): Promise<unknown> {
    if (isBinary) throw new MuxiError('bad_request', 'Cannot read the frame: it must be JSON text')
    const isLarge = data.byteLength > LARGE_FRAME
    if (isLarge) this.#socket.pause()
    try {
      return await readJson(data, 'read the frame: it')
    } finally {
      if (isLarge) this.#socket.resume()
    }
  }

  #answer(type: FrameType, id: string, data: unknown): Promise<void> | void {
    switch (type) {
      case 'chat':
        return this.#chat(id, data as FrameData<'chat'>)
      case 'resume':
        return this.#resume(id, data as FrameData<'resume'>)
      case 'cancel':
        return this.#cancel(id, data as FrameData<'cancel'>)
      case 'approve':
        return this.#approve(id, data as FrameData<'approve'>)
      case 'ping':
        return this.#send('pong', id, {})
    }
  }

  /** @throws MuxiError rate_limited */
  async #admit(kind: RateClass): Promise<void> {
    if (this.#context.auth) await this.#context.rateLimiter.admitOrThrow(this.#principal, kind)
  }

  async #chat(id: string, { agent_id = AUTO, idempotency_key, ...request }: FrameData<'chat'>): Promise<void> {
    await this.#admit('chat')
    const accepted = await acceptMessage(this.#context, this.#principal, {
      agent_id,
      request,
      idempotency_key,
      route: `chat/${agent_id}`,
    })
    this.#note('chat', 202)
    if (request.background) return this.#send('accepted', id, accepted)
    const turn = await getTurnOrThrow(this.#context, this.#principal, accepted.turn_id)
    await this.#follow(id, turn, 0)
  }

  async #resume(id: string, { after = 0, ...what }: FrameData<'resume'>): Promise<void> {
    await this.#admit('read')
    if ('job_id' in what)
      return this.#followJob(id, await getJobOrThrow(this.#context, this.#principal, what.job_id), after)
    const { turn_id } = what
    await this.#follow(id, await getTurnOrThrow(this.#context, this.#principal, turn_id), after)
  }

  async #cancel(id: string, { turn_id }: FrameData<'cancel'>): Promise<void> {
    const turn = await getTurnOrThrow(this.#context, this.#principal, turn_id)
    await this.#admit('write')
    await cancelTurn(this.#context, turn)
    const last = await lastEvent(
      this.#context.storage.db,
      await getTurnOrThrow(this.#context, this.#principal, turn_id),
    )
    if (isFinal(last.type)) this.#note('cancel', 200)
    else
      throw new MuxiError('unavailable', `Turn '${turn_id}' is being stopped but has not ended yet`, { retryAfter: 1 })
    this.#sendEvent(id, last)
  }

  async #approve(id: string, { turn_id, approval_id, ...decision }: FrameData<'approve'>): Promise<void> {
    await this.#admit('write')
    const turn = await getTurnOrThrow(this.#context, this.#principal, turn_id)
    const { event } = await decide(this.#context, this.#principal, turn, approval_id, decision)
    this.#note('approve', 200)
    if (event) this.#sendEvent(id, event)
  }

  async #follow(id: string, turn: TurnsTable, after: number): Promise<void> {
    const { storage } = this.#context
    const events = await resumeEvents(storage, turn, after, this.#closed.signal)
    // No events are left: repeats the final event.
    if (!events) return this.#sendEvent(id, await lastEvent(storage.db, turn))
    for await (const batch of events) for (const event of batch) this.#sendEvent(id, event)
  }

  async #followJob(id: string, job: JobsTable, after: number): Promise<void> {
    const events = await followJob(this.#context.storage, job, after, this.#closed.signal)
    if (!events) return this.#sendEvent(id, { ...endOfJob(job), id: after })
    for await (const batch of events) for (const event of batch) this.#sendEvent(id, event)
  }

  #sendEvent(id: string, event: StoredEvent): void {
    const message = event.type === 'message_start' || event.type === 'message_end' ? { message_id: event.data.id } : {}
    const more = JSON.stringify({ ...message, event_id: event.id })
    // The event's own JSON is shared by all readers, and is never an empty object.
    const data = `${eventJson(event).slice(0, -1)},${more.slice(1)}`
    this.#sendText(SERVER_NAME[event.type] ?? event.type, id, data)
  }

  #send(type: string, id: string, data: unknown): void {
    this.#sendText(type, id, JSON.stringify(data))
  }

  /** @param data JSON */
  #sendText(type: string, id: string, data: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    if (this.#socket.bufferedAmount > MAX_UNSENT) {
      this.#closed.abort()
      return this.#socket.close(CLOSE.slow, 'too slow: resume where you are')
    }
    this.#socket.send(`{"type":${JSON.stringify(type)},"id":${JSON.stringify(id)},"data":${data}}`)
  }
}

type Frame = Static<typeof FrameSchema>

/** The id of a frame for its answer, also when the rest is invalid. */
function idOf(frame: unknown): string {
  const { id } = (frame ?? {}) as { id?: unknown }
  return Value.Check(FrameSchema.properties.id, id) ? id : ''
}

/** The type of a frame, with its data validated. */
function readType({ type, data = {} }: Frame): FrameType {
  if (!Object.hasOwn(FRAME_DATA, type)) {
    throw new MuxiError(
      'bad_request',
      `Cannot read the frame: 'type' must be one of ${Object.keys(FRAME_DATA).join(', ')}`,
    )
  }
  check(FRAME_DATA[type as FrameType], data)
  return type as FrameType
}

function check(schema: TSchema, value: unknown): void {
  if (!Value.Check(schema, value)) throw invalid('the frame', schemaFaults(schema, value))
}
