// Server-sent events of a response, one at a time, with the limits that make a dead connection and a huge event fail.
import { createParser } from 'eventsource-parser'
import { ConnectionLostError } from '../errors.ts'

/** An event as it came; streams without numbers, such as `/events`, have no ids. */
export interface StreamEvent {
  id: number | undefined
  type: string
  data: unknown
  /** Characters of its data on the wire. */
  size: number
}

export interface ReadOptions {
  /** Ends the reading with its reason. */
  signal: AbortSignal
  /** The server sends a ping every 15 s: longer silence is a lost connection. In milliseconds. */
  silenceMs: number
  /** Called whenever bytes arrive. */
  heard?: () => void
}

/** The longest event, in characters. */
const LONGEST = 8 * 2 ** 20

/**
 * The events of a response until its end. Bytes are read when an event is asked for: a slow reader slows the server down.
 * @throws ConnectionLostError when the connection breaks, or nothing arrives for too long
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  { signal, silenceMs, heard }: ReadOptions,
): AsyncGenerator<StreamEvent, void, undefined> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let events: StreamEvent[] = []
  let failure: unknown
  const parser = createParser({
    maxBufferSize: LONGEST,
    onEvent: ({ id, event = 'message', data }) => {
      events.push({ id: id === undefined ? id : Number(id), type: event, data: JSON.parse(data), size: data.length })
    },
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') failure = error
    },
  })
  // Cancelling ends a pending read at once, also that of a body that does not know the signal.
  const stop = (reason: unknown) => {
    failure ??= reason
    reader.cancel(reason).catch(() => undefined)
  }
  const aborted = () => stop(signal.reason)
  signal.addEventListener('abort', aborted)
  if (signal.aborted) aborted()
  try {
    for (;;) {
      const timer = setTimeout(() => stop(new ConnectionLostError(`Nothing came for ${silenceMs} ms`)), silenceMs)
      const { done, value } = await reader
        .read()
        .catch((cause: unknown) => {
          throw failure ?? new ConnectionLostError('The stream broke off', { cause })
        })
        .finally(() => clearTimeout(timer))
      if (value) {
        heard?.()
        parser.feed(decoder.decode(value, { stream: true }))
      }
      yield* events
      events = []
      if (failure !== undefined) throw failure
      if (done) return
    }
  } finally {
    signal.removeEventListener('abort', aborted)
    reader.cancel().catch(() => undefined)
  }
}
