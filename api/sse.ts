// Server-sent events: one framing for every stream, with pings, resume and an end.
import { wrongField } from '../contracts/failures.ts'
import type { StoredEvent } from '../contracts/events.ts'
import type { Principal } from '../db/queries/keys.ts'
import { sseFrame } from './event-json.ts'
import type { ApiContext } from './services/context.ts'

/** Interval of pings, in milliseconds: proxies and clients close idle connections. */
const PING_MS = 15_000

const encoder = new TextEncoder()
const PING = encoder.encode(': ping\n\n')
/** The reason of an abort; without one each abort makes an error with its stack. */
const ENDED = new DOMException('The stream has ended', 'AbortError')

/** The number in `Last-Event-ID`; 0 when there is none. @throws MuxiError bad_request */
export function readLastEventId(header: string | null | undefined): number {
  if (header === null || header === undefined) return 0
  if (/^\d{1,15}$/.test(header)) return Number(header)
  throw wrongField('resume', 'Last-Event-ID', 'the number of an event')
}

type Server = Pick<ApiContext, 'openStreams' | 'metrics' | 'closing'>
/**
 * The signal aborts when the client disconnects, its key becomes invalid, or the server shuts down. `close` frees what the stream
 * holds before its frames have ended.
 */
type Begin<T> = (signal: AbortSignal, close: () => void) => T | undefined | Promise<T | undefined>

/**
 * A response that streams events, or 204 when `begin` returns none. @throws MuxiError rate_limited, before `begin` is called
 */
export function sseResponse(
  server: Server,
  principal: Principal,
  request: Request,
  begin: Begin<AsyncGenerator<StoredEvent[]>>,
): Promise<Response> {
  return framesResponse(server, principal, request, async (signal, close) => {
    const events = await begin(signal, close)
    return events && framed(events)
  })
}

/** Not a generator of its own: each step of one costs every reader of every event. */
function framed(events: AsyncGenerator<StoredEvent[]>): Frames {
  return {
    next: async () => {
      const { done, value } = await events.next()
      return done === true
        ? { done, value }
        : { done: false, value: value.length === 1 ? sseFrame(value[0]!) : Buffer.concat(value.map(sseFrame)) }
    },
    return: () => events.return(undefined),
  }
}

/** Frames of a stream, one or several at a time, as text or in UTF-8. */
interface Frames {
  next(): Promise<IteratorResult<string | Uint8Array, unknown>>
  return(value: undefined): Promise<unknown>
}

/** The same with another frame format. */
export async function framesResponse(
  { openStreams, metrics, closing }: Server,
  principal: Principal,
  request: Request,
  begin: Begin<Frames>,
): Promise<Response> {
  const opened = openStreams.open(principal)
  const closed = new AbortController()
  const signal = AbortSignal.any([request.signal, closed.signal, closing, opened.revoked])
  // The slot is always released, also when the client disconnects before reading.
  const ended = metrics.opened('sse')
  signal.addEventListener('abort', () => {
    opened.close()
    ended()
  })
  if (signal.aborted) {
    opened.close()
    ended()
  }
  try {
    const frames = await begin(signal, () => closed.abort())
    if (frames) return streamed(frames, closed)
  } catch (error) {
    closed.abort()
    throw error
  }
  closed.abort()
  return new Response(null, { status: 204 })
}

/** Streams frames with pings in between; aborts `closed` at the end, whichever side closes. */
function streamed(frames: Frames, closed: AbortController): Response {
  let ping: NodeJS.Timeout
  const end = () => {
    clearInterval(ping)
    closed.abort(ENDED)
  }
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      ping = setInterval(() => {
        // A slow reader needs no ping.
        if ((controller.desiredSize ?? 0) > 0) controller.enqueue(PING)
      }, PING_MS)
    },
    async pull(controller) {
      try {
        const { done, value } = await frames.next()
        if (done !== true) {
          controller.enqueue(typeof value === 'string' ? encoder.encode(value) : value)
          ping.refresh()
          return
        }
        end()
        controller.close()
      } catch (error) {
        end()
        throw error
      }
    },
    async cancel() {
      end()
      await frames.return(undefined)
    },
  })
  return new Response(stream, {
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    },
  })
}
