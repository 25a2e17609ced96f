// A transport for `useChat` of the AI SDK: turns of muxi as streams of its chunks, resumed exactly, and ended by `stop`.
import { MuxiError } from './errors.ts'
import { type CallOptions, type Http, newKey } from './http.ts'
import { isFinalEvent, Turn, type TurnEvent } from './turns/turn.ts'
import { type UiChunk, UiChunks } from './ui/ui-chunks.ts'
import { type LoadedMessage, type UiMessage, UiThreads, type UiThreadsOptions } from './ui/ui-threads.ts'

export interface ChatTransportOptions extends UiThreadsOptions {
  /** What `stop()` of `useChat`, and leaving its component, do to the turn. Default: `cancel`. */
  onStop?: 'cancel' | 'leave' | undefined
}

/** The part of the options of each call that is used. */
interface CallOf {
  chatId: string
  abortSignal?: AbortSignal | undefined
  headers?: Record<string, string> | Headers | undefined
  body?: object | undefined
}

export interface SendOptions extends CallOf {
  trigger: 'submit-message' | 'regenerate-message'
  messageId: string | undefined
  messages: readonly UiMessage[]
}

/** A turn as far as its chunks were given out. */
interface Reading {
  turn: Turn
  /** Of the message that began it, as the page names it. */
  messageId?: string
  chunks: UiChunks
  /** Of the last event whose chunks were given out. */
  last: number
  /** What the page was asked for already. */
  asked: Set<string>
  /** Whether the chunks of what comes now are known to the page. */
  isSeen?: (parkedFor: readonly string[]) => boolean
}

/** How long a turn that waits for approvals is read on: other calls may ask for more at the same moment. */
const PARK_MS = 150

/** The transport of `useChat`: `new MuxiChatTransport(muxi({ serverUrl: '' }))`. */
export class MuxiChatTransport {
  /** A resumed turn is given from its beginning, and takes the place of what the page shows of it. */
  readonly resumeStreamIsReplay = true
  readonly #http: Http
  readonly #threads: UiThreads
  readonly #onStop: 'cancel' | 'leave'
  /** The latest turn of each chat that waits for approvals, by the ids of chats. */
  readonly #parked = new Map<string, Reading>()
  /** How often each chat was resumed. */
  readonly #resumes = new Map<string, number>()

  /** @param app what `muxi()` gives */
  constructor({ http }: { http: Http }, options: ChatTransportOptions = {}) {
    this.#http = http
    this.#threads = new UiThreads(http, options)
    this.#onStop = options.onStop ?? 'cancel'
  }

  /** The messages of a chat, oldest first, to begin `useChat` with; the turn that runs is what `resume` continues with. */
  loadMessages(chatId: string): Promise<LoadedMessage[]> {
    return this.#threads.load(chatId)
  }

  /** Sends the last message, or the answers to approvals that it has. */
  async sendMessages(options: SendOptions): Promise<ReadableStream<UiChunk>> {
    const { messages, messageId } = options
    const last = messages.at(-1)!
    const named = messages.findLast(({ id }) => id === messageId) ?? last
    if (options.trigger === 'submit-message' && named.role === 'assistant') return this.#answer(named, options)
    const {
      path,
      request,
      idempotencyKey = newKey(),
    } = await this.#threads.request({ ...options, ...headersOf(options) })
    const turn = Turn.start(this.#http, path, request, { idempotencyKey, ...headersOf(options) })
    return this.#stream({ ...readingOf(turn), messageId: last.id }, options)
  }

  /** The turn that runs, or the one that ran when the messages were loaded, from its beginning. */
  async reconnectToStream(options: CallOf): Promise<ReadableStream<UiChunk> | null> {
    const { chatId } = options
    const call = headersOf(options)
    const resumes = (this.#resumes.get(chatId) ?? 0) + 1
    this.#resumes.set(chatId, resumes)
    // It is given from its beginning, or it was decided elsewhere.
    this.#parked.delete(chatId)
    const turnId = await this.#threads.findRunning(chatId, call)
    if (turnId === undefined) return null
    return this.#stream(readingOf(Turn.resume(this.#http, turnId, { after: 0, ...call })), options, resumes)
  }

  async #answer({ metadata, parts }: UiMessage, options: SendOptions): Promise<ReadableStream<UiChunk>> {
    const { turn_id = '' } = (metadata ?? {}) as { turn_id?: string }
    const approvals = parts.flatMap(({ approval, state }) => (approval ? [{ ...approval, state }] : []))
    const known = new Set(approvals.map(({ id }) => id))
    const answered = approvals.filter(({ state, approved }) => state === 'approval-responded' && approved !== undefined)
    const call = headersOf(options)
    const parked = this.#parked.get(options.chatId)
    this.#parked.delete(options.chatId)
    for (const { id, approved, reason } of answered) {
      const decision = { decision: approved ? 'approve' : 'deny', ...(reason !== undefined && { reason }) }
      await this.#http
        .json('POST', `/turns/${turn_id}/approvals/${id}`, { ...call, json: decision, idempotencyKey: newKey() })
        .catch((error: unknown) => {
          // Decided before, here or elsewhere.
          if (!(error instanceof MuxiError && error.code === 'conflict')) throw error
        })
    }
    if (parked?.turn.id === turn_id) {
      const turn = Turn.resume(this.#http, turn_id, { after: parked.last, ...call })
      return this.#stream({ ...parked, turn }, options)
    }
    // The page knows the reply from elsewhere: up to where it was asked for one of these.
    const asked = new Set((answered.length > 0 ? answered : approvals).map(({ id }) => id))
    const isSeen = (parkedFor: readonly string[]) =>
      !parkedFor.some((id) => asked.has(id)) || !parkedFor.every((id) => known.has(id))
    return this.#stream(
      { ...readingOf(Turn.resume(this.#http, turn_id, { after: 0, ...call })), asked, isSeen },
      options,
    )
  }

  /** @param resumes of the chat when the call began */
  #stream(
    reading: Reading,
    { chatId, abortSignal }: CallOf,
    resumes = this.#resumes.get(chatId),
  ): ReadableStream<UiChunk> {
    const events = reading.turn[Symbol.asyncIterator]()
    const batches = this.#read(reading, events, chatId)
    const leave = () => void events.return?.()
    let stop: (() => void) | undefined
    const unlisten = () => abortSignal?.removeEventListener('abort', stop!)
    return new ReadableStream<UiChunk>(
      {
        start: (controller) => {
          stop = () => {
            leave()
            controller.close()
            // It was not stopped when the chat is resumed at once, as React does in development.
            setTimeout(() => {
              const isStopped = this.#resumes.get(chatId) === resumes
              if (this.#onStop === 'cancel' && isStopped) reading.turn.cancel().catch(() => undefined)
            })
          }
          abortSignal?.addEventListener('abort', stop)
          if (abortSignal?.aborted) stop()
        },
        pull: async (controller) => {
          const { value, done } = await batches.next().catch((error: unknown) => {
            unlisten()
            throw error
          })
          if (abortSignal?.aborted) return
          for (const chunk of value ?? []) controller.enqueue(chunk)
          if (!done) return
          unlisten()
          controller.close()
        },
        cancel: () => {
          unlisten()
          leave()
        },
      },
      { highWaterMark: 0 },
    )
  }

  /** The chunks that belong together, up to the end of the turn, or until it waits for nothing but approvals. */
  async *#read(
    reading: Reading,
    events: AsyncIterator<TurnEvent>,
    chatId: string,
  ): AsyncGenerator<UiChunk[], void, undefined> {
    const { chunks, asked } = reading
    let { isSeen } = reading
    let next: Promise<IteratorResult<TurnEvent>> | undefined
    try {
      for (;;) {
        next ??= events.next()
        const isParked = !isSeen && chunks.parkedFor.some((id) => !asked.has(id))
        const result = isParked ? await within(next, PARK_MS) : await next
        if (!result) {
          for (const id of chunks.parkedFor) asked.add(id)
          this.#parked.set(chatId, reading)
          yield chunks.park()
          return
        }
        next = undefined
        if (result.done) return
        const event = result.value
        const translated = chunks.next(event)
        reading.last = event.id
        if (event.type === 'accepted') this.#threads.began(chatId, event.data.turn_id, reading.messageId)
        if (isFinalEvent(event.type)) this.#threads.ended(chatId)
        if (!isSeen) {
          if (translated.length > 0) yield translated
        } else if (!isSeen(chunks.parkedFor)) {
          isSeen = undefined
          chunks.park()
        }
        // What follows an `error` event is the same error, thrown.
        if (isFinalEvent(event.type)) return
      }
    } finally {
      next?.catch(() => undefined)
      void events.return?.()
    }
  }
}

function readingOf(turn: Turn): Reading {
  return { turn, chunks: new UiChunks(), last: 0, asked: new Set() }
}

/** Of a call of `useChat`, for every request that it leads to. */
function headersOf({ headers }: CallOf): { headers: CallOptions['headers'] } {
  return { headers: headers && Object.fromEntries(new Headers(headers)) }
}

async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
