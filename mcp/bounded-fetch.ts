// A fetch with limits: no response, and no event of a stream, is read beyond a number of bytes.
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js'

const LINE_FEED = 10
const CARRIAGE_RETURN = 13

/** A message that is too long is replaced by an error response to its request, if it has one; otherwise the stream fails. */
export function boundedFetch(fetch: FetchLike, maxBytes: number): FetchLike {
  return async (url, init) => {
    const response = await fetch(url, init)
    if (!response.body || (response.status >= 300 && response.status < 400)) return response
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false
    const { status, statusText, headers } = response
    const body = response.body.pipeThrough(limit(maxBytes, isStream, requestIdOf(init?.body)))
    return new Response(body, { status, statusText, headers })
  }
}

function limit(maxBytes: number, isStream: boolean, id: unknown): TransformStream<Uint8Array, Uint8Array> {
  const message = `the server sent more than ${maxBytes} bytes at once`
  let held: Uint8Array[] = []
  let size = 0
  let lastLineFeed = -1
  return new TransformStream({
    transform(chunk, controller) {
      size += chunk.length
      if (isStream) {
        // Counted from the last blank line, where an event ends.
        for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, at + 1)) {
          if (at === lastLineFeed + 1 || (at === lastLineFeed + 2 && chunk[at - 1] === CARRIAGE_RETURN))
            size = chunk.length - at - 1
          lastLineFeed = at
        }
        lastLineFeed -= chunk.length
      }
      if (size <= maxBytes) {
        if (isStream || id === undefined) controller.enqueue(chunk)
        else held.push(chunk)
        return
      }
      if (id === undefined) return controller.error(new Error(message))
      const answer = JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32_000, message } })
      held = []
      controller.enqueue(new TextEncoder().encode(isStream ? `\n\ndata: ${answer}\n\n` : answer))
      controller.terminate()
    },
    flush(controller) {
      for (const chunk of held) controller.enqueue(chunk)
    },
  })
}

function requestIdOf(body: unknown): unknown {
  if (typeof body !== 'string') return undefined
  const { id } = JSON.parse(body) as { id?: unknown }
  return id
}
