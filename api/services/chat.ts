// Accepting a message: a row first, then the engine, then the receipt; safe to repeat under an Idempotency-Key.
import type { SubmitInput } from '../../contracts/engine.ts'
import { MuxiError } from '../../contracts/failures.ts'
import { newId } from '../../contracts/ids.ts'
import { responseSchemaFault } from '../../contracts/response-schema.ts'
import type { ChatRequest } from '../../contracts/schemas/chat.ts'
import { getAgentOrThrow } from '../../db/queries/agents.ts'
import { ensureDefaultConversation, lockConversation } from '../../db/queries/conversations.ts'
import { findIdempotent, insertIdempotent } from '../../db/queries/idempotency.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { acceptTurn, countUnfinished, discardTurn, findTurn, insertTurn, wasGivenUp } from '../../db/queries/turns.ts'
import type { Tx } from '../../db/schema.ts'
import { actingUser, ownedOrThrow } from './access.ts'
import { insertAttachedJobs, storeAttachments } from './attachments.ts'
import { bodyHash } from './body-hash.ts'
import type { ApiContext, ApiLimits } from './context.ts'
import { submitTurn } from './engine.ts'
import { checkQuota } from './files.ts'

export interface AcceptedTurn {
  turn_id: string
  conversation_id: string
  message_id: string
}

export interface Submission {
  agent_id: string
  request: ChatRequest
  idempotency_key?: string | undefined
  /** What the key's uniqueness is counted within. */
  route: string
}

type Context = Pick<ApiContext, 'storage' | 'client' | 'conversation'> & {
  limits: Pick<ApiLimits, 'attachments' | 'content_bytes' | 'turns_per_user' | 'turns_per_key' | 'user_bytes'>
}

type Inserted = AcceptedTurn & { submit: SubmitInput; over: boolean }

/** Accepts a message; resolves when the engine has it. @throws MuxiError */
export async function acceptMessage(
  context: Context,
  principal: Principal,
  submission: Submission,
): Promise<AcceptedTurn> {
  const { storage } = context
  const turn = await insert(context, principal, submission)
  const accepted = { turn_id: turn.turn_id, conversation_id: turn.conversation_id, message_id: turn.message_id }
  if (turn.over) return accepted
  try {
    await submitTurn(context, turn.submit)
  } catch (error) {
    // Refused for certain: as if it had never been sent. After an unknown outcome the sweeper finds out.
    if (error instanceof MuxiError && error.code !== 'unavailable') {
      await storage.db.transaction().execute((tx) => discardTurn(tx, turn.turn_id))
    }
    throw error
  }
  const events = await storage.db.transaction().execute((tx) => acceptTurn(tx, turn.turn_id))
  if (!events)
    throw new MuxiError('unavailable', 'The message was accepted too late: please send it again', { retryAfter: 1 })
  storage.events.publish(turn.turn_id, events)
  return accepted
}

async function insert(context: Context, principal: Principal, submission: Submission): Promise<Inserted> {
  const { storage, limits } = context
  const { request, agent_id } = submission
  const userId = actingUser(principal, request.user_id)
  checkSize(request, limits)
  const known = {
    key_id: principal.key_id,
    route: submission.route,
    idempotency_key: submission.idempotency_key ?? '',
    body_hash: submission.idempotency_key === undefined ? '' : await bodyHash(agent_id, request),
  }
  const attachments = await storeAttachments(storage, userId, request.attachments ?? [], (bytes) =>
    checkQuota(context, userId, bytes),
  )

  return storage.db.transaction().execute(async (tx) => {
    const made = submission.idempotency_key === undefined ? undefined : await findIdempotent(tx, known)
    const before = made === undefined ? undefined : await findTurn(tx, made)
    // A turn that was never accepted has been answered to nobody: the key begins another one.
    if (before && !wasGivenUp(before)) {
      const turn = { ...before, turn_id: before.id }
      return { ...turn, submit: toSubmit(context, turn), over: turn.status !== 'pending' }
    }

    const agent = await getAgentOrThrow(tx, agent_id)
    const conversation =
      request.conversation_id === undefined
        ? await ensureDefaultConversation(tx, agent_id, userId)
        : ownedOrThrow(
            { ...principal, bound_user: userId },
            await lockConversation(tx, request.conversation_id),
            'conversation',
            request.conversation_id,
          )
    if (conversation.agent_id !== agent_id) throw wrongField('conversation_id', `a conversation with '${agent_id}'`)
    // Last, because all senders of the key wait for each other from here on.
    await checkLimits(tx, context, userId, principal)
    const turn = {
      turn_id: newId('turn'),
      user_message_id: newId('msg'),
      message_id: newId('msg'),
      conversation_id: conversation.id,
      agent_id,
      agent_version: agent.version,
      user_id: userId,
      key_id: principal.key_id,
      on_busy: request.on_busy ?? agent.config.on_busy,
      content: request.content,
      attachments,
      response_schema: request.response_schema,
    }
    await insertTurn(tx, { ...turn, attachments: await insertAttachedJobs(tx, turn) })
    if (submission.idempotency_key !== undefined) await insertIdempotent(tx, { ...known, result_id: turn.turn_id })
    return { ...turn, submit: toSubmit(context, turn), over: false }
  })
}

function toSubmit(context: Context, turn: Omit<SubmitInput, 'user_hash'> & { user_id: string }): SubmitInput {
  return {
    turn_id: turn.turn_id,
    conversation_id: turn.conversation_id,
    agent_id: turn.agent_id,
    on_busy: turn.on_busy,
    user_hash: context.storage.box.pseudonym(turn.user_id),
  }
}

function checkSize(request: ChatRequest, limits: Context['limits']): void {
  const attached = request.attachments?.length ?? 0
  if (request.content === '' && attached === 0) throw wrongField('content', 'not empty, unless something is attached')
  if (attached > limits.attachments) throw wrongField('attachments', `at most ${limits.attachments}`)
  const schemaFault = request.response_schema && responseSchemaFault(request.response_schema)
  if (schemaFault !== undefined) throw wrongField('response_schema', schemaFault)
  if (Buffer.byteLength(request.content) > limits.content_bytes) {
    throw new MuxiError(
      'payload_too_large',
      `Cannot take the message: 'content' must be at most ${limits.content_bytes} bytes`,
    )
  }
}

function wrongField(path: string, expected: string): MuxiError {
  return new MuxiError('bad_request', `Cannot read the message: '${path}' must be ${expected}`, {
    details: { fields: [{ path, expected }] },
  })
}

async function checkLimits(tx: Tx, { limits }: Context, userId: string, principal: Principal): Promise<void> {
  const running = await countUnfinished(tx, userId, principal.key_id)
  const over =
    running.user >= limits.turns_per_user
      ? `a user may have ${limits.turns_per_user} turns at once`
      : running.key >= limits.turns_per_key
        ? `a key may have ${limits.turns_per_key} turns at once`
        : undefined
  if (over) throw new MuxiError('rate_limited', `Cannot take another message: ${over}`, { retryAfter: 1 })
}
