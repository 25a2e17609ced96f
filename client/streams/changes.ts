// Streams without numbered events: the live feed of lists, and the execution log of a turn.
import { follow } from './follow.ts'
import type { Http } from '../http.ts'
import { segmentOf } from '../operations.ts'
import type { Change, Topic, TurnLogEntry } from '../types.ts'

export interface ChangeOptions {
  /** Default: all that the key may read. */
  topics?: readonly Topic[] | undefined
  /** Called with each connection: changes may have been missed, so the lists are to be read, or read again. */
  onSubscribed?: (() => void) | undefined
  signal?: AbortSignal | undefined
}

/** Changes of lists as they happen, over as many connections as it takes. */
export async function* followChanges(
  http: Http,
  { topics, onSubscribed, signal }: ChangeOptions = {},
): AsyncGenerator<Change, void, undefined> {
  const send: Http['send'] = async (method, path, init) => {
    const response = await http.send(method, path, { ...init, query: { topics: topics?.join() } })
    onSubscribed?.()
    return response
  }
  for await (const { data } of follow({ http: { send }, path: '/events', signal, isFinal: () => false }))
    yield data as Change
}

/** Entries of a turn's execution log as they are now, then each that is added or changes, until the turn is over. */
export async function* followLog(
  http: Http,
  turnId: string,
  { signal }: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<TurnLogEntry, void, undefined> {
  const path = `/turns/${segmentOf('turnId', turnId)}/log/stream`
  for await (const { type, data } of follow({ http, path, signal, isFinal: (each) => each === 'end' }))
    if (type === 'entry') yield data as TurnLogEntry
}
