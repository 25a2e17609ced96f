// Server-sent events: one framing for every stream, with pings, resume and an end.
import { setTimeout as delay } from 'node:timers/promises'
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
  let next: Promise<IteratorResult<string>> | undefined
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      next ??= frames.next()
      const spoken = new AbortController()
      try {
        const silence = delay(PING_MS, undefined, { signal: spoken.signal }).catch(() => undefined)
        const result = await Promise.race([next, silence])
        if (!result) return controller.enqueue(PING)
        next = undefined
        if (result.done) return controller.close()
        controller.enqueue(encoder.encode(result.value))
      } finally {
        spoken.abort()
      }
    },
    async cancel() {
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
