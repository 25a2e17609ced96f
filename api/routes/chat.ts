// POST /agents/{agent_id}/chat and /chat/stream: a message in, the reply or its events out.
import { Elysia } from 'elysia'
import { Type } from '@sinclair/typebox'
import { AgentIdSchema } from '../../contracts/schemas/agent.ts'
import { ChatRequestSchema, type ChatRequest } from '../../contracts/schemas/chat.ts'
import { idempotencyHeaders } from '../../contracts/schemas/idempotency.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { authenticated } from '../plugin.ts'
import { unauthorized } from '../services/access.ts'
import { acceptMessage } from '../services/chat.ts'
import { waitingOf } from '../services/approvals.ts'
import type { ApiContext } from '../services/context.ts'
import { getTurnOrThrow, throwIfFailed, viewReceipt, viewReply, waitForReply } from '../services/turns.ts'
import { sseResponse } from '../sse.ts'

/** Longest wait for a reply, in milliseconds; after it the client gets 202. */
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
        if (body.background) {
          const { message_id: _, ...receipt } = accepted
          return status(202, { ...receipt, status: 'queued' })
        }
        const { revoked, close } = context.openStreams.watch(principal)
        const signal = AbortSignal.any([request.signal, context.closing, AbortSignal.timeout(WAIT_MS), revoked])
        const ended = await waitForReply(context, accepted.turn_id, signal).finally(close)
        if (revoked.aborted) throw unauthorized()
        const turn = await getTurnOrThrow(context, principal, accepted.turn_id)
        if (!ended)
          return status(202, {
            ...(await viewReceipt(context, turn)),
            approvals: await waitingOf(context.storage.db, turn.id),
          })
        throwIfFailed(turn)
        return viewReply(context, turn)
      },
      { ...schemas, detail: { summary: 'Send a message and wait for the reply' } },
    )
    .post(
      '/stream',
      ({ principal, params: { agent_id }, body, headers, request }) =>
        sseResponse(context, principal, request, async (signal) => {
          const accepted = await accept(principal, agent_id, body, headers['idempotency-key'])
          return context.storage.events.follow(accepted.turn_id, 0, signal)
        }),
      { ...schemas, detail: { summary: 'Send a message and stream the reply as server-sent events' } },
    )
}
