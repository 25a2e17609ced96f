// The events of a job over HTTP, loaded with the first of them.
import { ConnectionLostError } from '../errors.ts'
import type { StreamEvent } from '../streams/event-stream.ts'
import { isFinalOfJob as isFinal } from '../streams/final-events.ts'
import { follow, type Timing } from '../streams/follow.ts'
import type { Http } from '../http.ts'
import type { Job } from '../types.ts'

/** Those after a number, up to the final one, which comes from the job itself when its stream is over. */
export async function* jobEvents(
  http: Http,
  id: string,
  after: number,
  signal: AbortSignal,
  timing: Partial<Timing> | undefined,
): AsyncGenerator<StreamEvent, void, undefined> {
  const position = () => ({ jobId: id })
  let last = after
  for await (const event of follow({ http, path: `/jobs/${id}/stream`, after, signal, isFinal, timing, position })) {
    yield event
    if (isFinal(event.type)) return
    last = event.id ?? last
  }
  const { status, result, error } = await http.json<Job>('GET', `/jobs/${id}`, { signal })
  if (!isFinal(status))
    throw new ConnectionLostError('The stream ended before the job', { jobId: id, lastEventId: last })
  yield { id: last + 1, type: status, data: { id, result, ...error }, size: 0 }
}
