// POST /agents/{agent_id}/chat and /chat/stream: a message in, the reply or its events out.
import { Elysia } from 'elysia'
import { Type } from '@sinclair/typebox'
import { AgentIdSchema } from '../../contracts/schemas/agent.ts'
import { ChatRequestSchema, type ChatRequest } from '../../contracts/schemas/chat.ts'
import { idempotencyHeaders } from '../../contracts/schemas/idempotency.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { authenticated } from '../plugin.ts'
import { acceptMessage } from '../services/chat.ts'
import { waitingOf } from '../services/approvals.ts'
import type { ApiContext } from '../services/context.ts'
import { getTurnOrThrow, throwIfFailed, viewReply, waitForReply } from '../services/turns.ts'
import { sseResponse } from '../sse.ts'

/** A reply that takes longer is read later: the caller gets 202. */
const WAIT_MS = 120_000

export function chatRoutes(context: ApiContext) {
  const schemas = {
    params: Type.Object({ agent_id: AgentIdSchema }),
    body: ChatRequestSchema,
    headers: idempotencyHeaders('turn'),
    scope: 'chat' as const,
  }
  const accept = (
    principal: Principal,
    agent_id: string,
    request: ChatRequest,
    idempotency_key: string | undefined,
  ) => {
    return acceptMessage(context, principal, { agent_id, request, idempotency_key, route: `chat/${agent_id}` })
  }
  return new Elysia({ prefix: '/agents/:agent_id/chat', tags: ['chat'] })
    .use(authenticated(context))
    .post(
      '',
      async ({ principal, params: { agent_id }, body, headers, request, status }) => {
        const accepted = await accept(principal, agent_id, body, headers['idempotency-key'])
        const later = { turn_id: accepted.turn_id, conversation_id: accepted.conversation_id, status: 'queued' }
        if (body.background) return status(202, later)
        const signal = AbortSignal.any([request.signal, context.closing, AbortSignal.timeout(WAIT_MS)])
        const ended = await waitForReply(context, accepted.turn_id, signal)
        const turn = await getTurnOrThrow(context, principal, accepted.turn_id)
        if (!ended)
          return status(202, { ...later, status: turn.status, approvals: await waitingOf(context.storage.db, turn.id) })
        throwIfFailed(turn)
        return viewReply(context, turn)
      },
      { ...schemas, detail: { summary: 'Send a message and wait for the reply' } },
    )
    .post(
      '/stream',
      async ({ principal, params: { agent_id }, body, headers, request }) => {
        const accepted = await accept(principal, agent_id, body, headers['idempotency-key'])
        const closed = new AbortController()
        const signal = AbortSignal.any([request.signal, closed.signal, context.closing])
        return sseResponse(context.storage.events.follow(accepted.turn_id, 0, signal), closed)
      },
      { ...schemas, detail: { summary: 'Send a message and stream the reply as server-sent events' } },
    )
}
