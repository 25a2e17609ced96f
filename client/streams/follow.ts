// A stream of numbered events over as many connections as it takes: each event once, in order, up to the final one.
import { delayOf, LONGEST_PAUSE_MS, LONGEST_TIMER_MS, SILENCE_MS, sleep } from '../backoff.ts'
import { ConnectionLostError, EventGapError, MuxiError, type Position } from '../errors.ts'
import { readEvents, type StreamEvent } from './event-stream.ts'
import type { Http } from '../http.ts'
import { onReturn } from '../wake.ts'

export interface FollowOptions {
  http: Pick<Http, 'send'>
  /** Of the stream; undefined while only `first` can tell. */
  path: string | (() => string | undefined)
  /** Opens the stream while there is no path, again and again: it must be idempotent. */
  first?: (signal: AbortSignal) => Promise<Response>
  /** The last event that is known already. */
  after?: number | undefined
  signal?: AbortSignal | undefined
  isFinal: (type: string) => boolean
  timing?: Partial<Timing> | undefined
  headers?: Record<string, string> | undefined
  /** Named in the error, when there is no hope left. */
  position?: () => Position
}

export interface Timing {
  /** Silence that counts as a lost connection, in milliseconds: two pings of the server and some slack. */
  silenceMs: number
  /** Connections in a row that bring nothing. */
  attempts: number
}

const PING_MS = 15_000
const TIMING: Timing = { silenceMs: SILENCE_MS, attempts: 20 }

/**
 * Follows a stream to its final event, or until the server says that nothing comes any more (204).
 * @throws ConnectionLostError after too many connections without progress; the errors of the server that no retry helps with;
 * EventGapError; the reason of the signal
 */
export async function* follow(options: FollowOptions): AsyncGenerator<StreamEvent, void, undefined> {
  const { http, path, first, signal, isFinal } = options
  const { silenceMs: silence, attempts } = { ...TIMING, ...options.timing }
  const silenceMs = Math.min(silence, LONGEST_TIMER_MS)
  const pathNow = () => (typeof path === 'string' ? path : path())
  let last = options.after ?? 0
  for (let attempt = 0; ;) {
    signal?.throwIfAborted()
    const connection = new AbortController()
    const both = signal ? AbortSignal.any([signal, connection.signal]) : connection.signal
    const begun = Date.now()
    let heardAt = begun
    let hasProgress = false
    let failure: MuxiError
    const unwatch = onReturn((isNew) => {
      if (isNew || Date.now() - heardAt > PING_MS) connection.abort(new ConnectionLostError('The page was away'))
    })
    const known = pathNow()
    try {
      const response =
        known === undefined && first
          ? await first(both)
          : await http.send('GET', known!, {
              accept: 'text/event-stream',
              signal: both,
              maxRetries: 0,
              timeoutMs: silenceMs,
              headers: { ...options.headers, ...(last > 0 && { 'last-event-id': String(last) }) },
            })
      if (response.status === 204 || !response.body) return
      const heard = () => {
        heardAt = Date.now()
      }
      let isNext = true
      for await (const event of readEvents(response.body, { signal: both, silenceMs, heard })) {
        const { id } = event
        // After a loss of its log, the server begins again below: with the whole text, and up to the final event.
        const isRewound = (isNext && event.type === 'content_reset') || isFinal(event.type)
        isNext = false
        if (id !== undefined) {
          if (id <= last && !isRewound) continue
          if (id > last + 1) throw new EventGapError(last, id)
          last = id
        }
        hasProgress = true
        yield event
        if (isFinal(event.type)) return
      }
      failure = new ConnectionLostError('The stream ended before its final event')
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof MuxiError) || error instanceof EventGapError || !isPassing(error, known !== undefined))
        throw error
      failure = error
    } finally {
      unwatch()
    }
    // A quiet stream that proxies cut from time to time is no failure.
    attempt = hasProgress || heardAt - begun > PING_MS ? 0 : attempt + 1
    // While the browser knows that there is no network, hope remains.
    const isOffline = (globalThis.navigator as Navigator | undefined)?.onLine === false
    const { retryAfterMs = 0, message, details } = failure
    if (retryAfterMs > LONGEST_PAUSE_MS || (attempt > attempts && !isOffline)) {
      // Nothing was begun that could be gone on with.
      if (known === undefined && retryAfterMs > LONGEST_PAUSE_MS) throw failure
      const where = { lastEventId: last, ...options.position?.() }
      throw new ConnectionLostError(message, { ...where, details, retryAfterMs: failure.retryAfterMs, cause: failure })
    }
    // Spread also when the server asks all its clients for the same pause.
    const delay = retryAfterMs + (attempt > 0 ? delayOf(attempt - 1) : 0)
    if (delay > 0) await pause(delay, signal)
  }
}

/** Whether another connection has a chance. The request that begins a stream is repeated by `Http` when the server refuses it. */
function isPassing({ code, status }: MuxiError, isResumed: boolean): boolean {
  if (status === 0 || status === 408 || code === 'unavailable') return true
  return isResumed && (status === 429 || status >= 500)
}

/** Waits, but no longer than until the network or the page returns. */
async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  const returned = new AbortController()
  const unwatch = onReturn(() => returned.abort())
  const either = signal ? AbortSignal.any([signal, returned.signal]) : returned.signal
  await sleep(ms, either)
    .catch(() => signal?.throwIfAborted())
    .finally(unwatch)
}
