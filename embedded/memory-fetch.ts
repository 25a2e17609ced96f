// `fetch` whose requests an application in this process answers, with no network between.
import type { Fetch } from '../client/index.ts'

/** @param answer of a request whose signal is that of the caller */
export function memoryFetch(answer: (request: Request) => Promise<Response>): Fetch {
  return async (url, init) => {
    const request = new Request(url, init)
    const { signal } = request
    signal.throwIfAborted()
    // As over a network: without either, there is no body.
    const { body } = init
    if (typeof body === 'string') request.headers.set('content-length', String(Buffer.byteLength(body)))
    else if (body instanceof ArrayBuffer || ArrayBuffer.isView(body))
      request.headers.set('content-length', String(body.byteLength))
    else if (body instanceof Blob) request.headers.set('content-length', String(body.size))
    else if (request.body) request.headers.set('transfer-encoding', 'chunked')
    const { promise: aborted, reject } = Promise.withResolvers<never>()
    const abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    try {
      const response = await Promise.race([answer(request), aborted])
      return response.body ? new Response(untilAborted(response.body, signal), response) : response
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }
}

/** As over a network, a body whose request is aborted fails; the application's stream is cancelled. */
function untilAborted(body: ReadableStream<Uint8Array>, signal: AbortSignal): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  aborted.catch(() => {})
  const abort = () => {
    reject(signal.reason)
    reader.cancel(signal.reason).catch(() => {})
  }
  const end = () => signal.removeEventListener('abort', abort)
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await Promise.race([reader.read(), aborted])
          if (!done) return controller.enqueue(value)
          end()
          controller.close()
        } catch (error) {
          end()
          throw error
        }
      },
      async cancel(reason) {
        end()
        await reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}
