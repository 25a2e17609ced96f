// Requests on a socket that one frame answers, and subscriptions to changes.
import type { MuxiError } from '../errors.ts'
import type { SocketConnection } from './socket-connection.ts'
import type { ServerFrame, SocketRequest } from './socket-requests.ts'
import type { SocketChange, Topic } from './socket-types.ts'

const MAX_CHANGES = 1_000

/** Sends a frame and waits for its answer. A repeated one that was carried out the first time counts as answered. */
export function ask(connection: SocketConnection, type: string, data: object): Promise<ServerFrame | undefined> {
  return new Promise((resolve, reject) => {
    let sent = 0
    const request: SocketRequest = {
      size: JSON.stringify(data).length,
      frame: () => {
        sent += 1
        return { type, data }
      },
      take: (frame) => {
        connection.remove(id)
        resolve(frame)
      },
      fail: (error) => {
        if (error.code === 'conflict' && sent > 1) resolve(undefined)
        else reject(error)
      },
    }
    const id = connection.add(request)
  })
}

/** The changes of some topics, for as long as they are read. */
export async function* changesOf(
  connection: SocketConnection,
  topics: readonly Topic[],
  signal?: AbortSignal,
): AsyncGenerator<SocketChange, void, undefined> {
  let kept: SocketChange[] = []
  let failure: MuxiError | undefined
  let id: string | undefined
  let wake = () => {}
  const leave = () => {
    if (id === undefined) return
    connection.tell(id, 'subscribe', { topics: [] })
    connection.remove(id)
    id = undefined
  }
  const request: SocketRequest = {
    size: 0,
    frame: () => ({ type: 'subscribe', data: { topics } }),
    take: ({ type, data }) => {
      kept.push({ type, data } as unknown as SocketChange)
      // Too slow: subscribed again once these are read, which tells the reader to read the lists again.
      if (kept.length > MAX_CHANGES) leave()
      wake()
    },
    fail: (error) => {
      failure = error
      wake()
    },
  }
  const aborted = () => wake()
  signal?.addEventListener('abort', aborted)
  try {
    for (;;) {
      while (kept.length === 0) {
        if (signal?.aborted) return
        if (failure) throw failure
        await new Promise<void>((resolve) => {
          wake = resolve
          id ??= connection.add(request)
        })
      }
      const changes = kept
      kept = []
      yield* changes
    }
  } finally {
    signal?.removeEventListener('abort', aborted)
    leave()
  }
}
