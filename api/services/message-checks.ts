// What a message must be to be accepted: its size, what it replaces, and how much runs and waits already.
import { MuxiError, notFound, wrongField } from '../../contracts/failures.ts'
import { responseSchemaFault } from '../../contracts/response-schema.ts'
import type { CarriedRequest } from '../../contracts/schemas/carried-request.ts'
import type { ChatRequest } from '../../contracts/schemas/chat.ts'
import type { OnBusy } from '../../contracts/turn.ts'
import { MAX_WAITING, type Concurrent } from '../../db/queries/admission.ts'
import { findReplaced, type ReplacedMessage } from '../../db/queries/superseded.ts'
import type { Tx } from '../../db/schema.ts'
import type { ApiLimits } from './context.ts'

/** Retry-After of a full queue, in seconds. */
const BUSY_RETRY_S = 5

type Limits = Pick<ApiLimits, 'attachments' | 'content_bytes' | 'turns_per_user' | 'turns_per_key'>

/** @throws MuxiError bad_request, payload_too_large */
export function checkSize(request: ChatRequest, limits: Limits, mayBeEmpty: boolean): void {
  const attached = request.attachments?.length ?? 0
  if (request.content === '' && attached === 0 && !mayBeEmpty)
    throw wrongField('read the message', 'content', 'not empty, unless something is attached')
  if (attached > limits.attachments)
    throw wrongField('read the message', 'attachments', `at most ${limits.attachments}`)
  const schemaFault = request.response_schema && responseSchemaFault(request.response_schema)
  if (schemaFault !== undefined) throw wrongField('read the message', 'response_schema', schemaFault)
  if (Buffer.byteLength(request.content) > limits.content_bytes) {
    throw new MuxiError(
      'payload_too_large',
      `Cannot take the message: 'content' must be at most ${limits.content_bytes} bytes`,
    )
  }
}

/** The JSON of what a message brings. @throws MuxiError payload_too_large */
export function carriedJson(carried: CarriedRequest, { carried_bytes }: Pick<ApiLimits, 'carried_bytes'>): string {
  const text = JSON.stringify(carried)
  if (Buffer.byteLength(text) <= carried_bytes) return text
  throw new MuxiError(
    'payload_too_large',
    `Cannot take the request: 'messages' and 'tools' must be at most ${carried_bytes} bytes without attachments`,
  )
}

/** @throws MuxiError rate_limited */
export function checkConcurrent(concurrent: Concurrent, limits: Limits): void {
  const over =
    concurrent.user >= limits.turns_per_user
      ? `a user may have ${limits.turns_per_user} turns at once`
      : concurrent.key >= limits.turns_per_key
        ? `a key may have ${limits.turns_per_key} turns at once`
        : undefined
  if (over) throw new MuxiError('rate_limited', `Cannot take another message: ${over}`, { retryAfter: 1 })
}

/** @throws MuxiError conflict, rate_limited */
export function checkBusy(waiting: number, onBusy: OnBusy): void {
  if (onBusy === 'reject') throw new MuxiError('conflict', 'The conversation is answering another message')
  if (waiting >= MAX_WAITING)
    throw new MuxiError('rate_limited', `Cannot take another message: ${MAX_WAITING} wait in this conversation`, {
      retryAfter: BUSY_RETRY_S,
    })
}

/** The message that a new one replaces. @throws MuxiError not_found, bad_request, conflict, unavailable */
export async function getReplacedOrThrow(tx: Tx, conversationId: string, messageId: string): Promise<ReplacedMessage> {
  const replaced = await findReplaced(tx, conversationId, messageId)
  if (!replaced) throw notFound('message', messageId)
  if (replaced.role !== 'user')
    throw wrongField('read the message', 'replaces', "a message of the user, not an agent's")
  // That one may still be given up: its client got 503, which asks it to send the message again.
  if (replaced.replaced_in === 'pending')
    throw new MuxiError('unavailable', `Cannot replace message '${messageId}' yet: another message is being accepted`, {
      retryAfter: BUSY_RETRY_S,
    })
  if (replaced.superseded_by !== null)
    throw new MuxiError('conflict', `Cannot replace message '${messageId}': it was replaced already`)
  return replaced
}
