// The end of a turn whose stream is over, loaded when it is needed.
import { ConnectionLostError } from '../errors.ts'
import type { StreamEvent } from '../streams/event-stream.ts'
import type { TurnRecord } from '../types.ts'

/** The events that a turn ends with, from its record. */
export function endOf({ turn_id, message, error, status }: TurnRecord, last: number): StreamEvent[] {
  const id = message?.id ?? ''
  const final =
    status === 'completed'
      ? { type: 'message_end', data: { id, usage: message?.usage } }
      : status === 'cancelled'
        ? { type: 'cancelled', data: { id } }
        : status === 'failed'
          ? { type: 'error', data: error }
          : undefined
  if (!final) throw new ConnectionLostError('The stream ended before the turn', { turnId: turn_id, lastEventId: last })
  const content = message?.agent_response?.content ?? ''
  const reset = { type: 'content_reset', data: { step: 0, reason: 'read from the record', content } }
  return [reset, final].map((event, index) => ({ ...event, id: last + 1 + index, size: content.length }))
}
