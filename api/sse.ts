// Server-sent events: one framing for every stream, with pings, resume and an end.
import { MuxiError } from '../contracts/failures.ts'
import type { StoredEvent } from '../contracts/events.ts'

/** Proxies and clients give up on silent connections. */
const PING_MS = 15_000

const encoder = new TextEncoder()
const PING = encoder.encode(': ping\n\n')

/** The number in `Last-Event-ID`; 0 when there is none. @throws MuxiError bad_request */
export function readLastEventId(header: string | null | undefined): number {
  if (header === null || header === undefined) return 0
  if (/^\d{1,15}$/.test(header)) return Number(header)
  throw new MuxiError('bad_request', "Cannot resume: 'Last-Event-ID' must be the number of an event")
}

/** A response that streams events; the generator is ended when the client goes away. */
export function sseResponse(events: AsyncGenerator<StoredEvent[]>, closed: AbortController): Response {
  return framesResponse(framed(events), closed)
}

async function* framed(events: AsyncGenerator<StoredEvent[]>): AsyncGenerator<string> {
  for await (const batch of events) yield batch.map(frame).join('')
}

/** A response that streams frames as they come, with pings in between. */
export function framesResponse(frames: AsyncGenerator<string>, closed: AbortController): Response {
  let ping: NodeJS.Timeout
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      ping = setInterval(() => {
        // A reader that does not keep up needs no ping.
        if ((controller.desiredSize ?? 0) > 0) controller.enqueue(PING)
      }, PING_MS)
    },
    async pull(controller) {
      try {
        const { done, value } = await frames.next()
        if (!done) {
          controller.enqueue(encoder.encode(value))
          ping.refresh()
          return
        }
        clearInterval(ping)
        controller.close()
      } catch (error) {
        clearInterval(ping)
        throw error
      }
    },
    async cancel() {
      clearInterval(ping)
      closed.abort()
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

function frame(event: StoredEvent): string {
  return `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event.data)}\n\n`
}
