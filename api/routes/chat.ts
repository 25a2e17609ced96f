// POST /agents/{agent_id}/chat and /chat, each with /stream: a message in, the reply or its events out.
import { Elysia, status } from 'elysia'
import { Type } from '@sinclair/typebox'
import { AUTO } from '../../contracts/routing.ts'
import { AgentIdSchema } from '../../contracts/schemas/agent.ts'
import { ChatRequestSchema, type ChatRequest } from '../../contracts/schemas/chat.ts'
import { idempotencyHeaders } from '../../contracts/schemas/idempotency.ts'
import { TurnEventSchema } from '../../contracts/schemas/events.ts'
import { ReceiptSchema, ReplySchema } from '../../contracts/schemas/turns.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { authenticated } from '../plugin.ts'
import { replies, streamOf } from '../replies.ts'
import { unauthorized } from '../services/access.ts'
import { acceptMessage, type AcceptedTurn } from '../services/chat.ts'
import { waitingOf } from '../services/approvals.ts'
import type { ApiContext } from '../services/context.ts'
import { getTurnOrThrow, throwIfFailed, viewReceipt, viewReply, waitForReply } from '../services/turns.ts'
import { sseResponse } from '../sse.ts'

/** Longest wait for a reply, in milliseconds; after it the client gets 202. */
const WAIT_MS = 120_000

export function chatRoutes(context: ApiContext) {
  const common = {
    body: ChatRequestSchema,
    headers: idempotencyHeaders('turn'),
    scope: 'chat' as const,
  }
  const errors = ['not_found', 'conflict', 'unprocessable', 'budget_exceeded', 'upstream_error'] as const
  const replied = replies({ 200: ReplySchema, 202: ReceiptSchema }, ...errors)
  const streamed = replies({ 200: streamOf(TurnEventSchema), 202: ReceiptSchema }, ...errors)
  const toAgent = { ...common, params: Type.Object({ agent_id: AgentIdSchema }) }
  return new Elysia({ tags: ['chat'] })
    .use(authenticated(context))
    .post('/agents/:agent_id/chat', (sent) => reply(sent.params.agent_id, sent), {
      ...toAgent,
      ...replied,
      detail: { summary: 'Send a message and wait for the reply' },
    })
    .post('/agents/:agent_id/chat/stream', (sent) => stream(sent.params.agent_id, sent), {
      ...toAgent,
      ...streamed,
      detail: { summary: 'Send a message and stream the reply as server-sent events' },
    })
    .post('/chat', (sent) => reply(AUTO, sent), {
      ...common,
      ...replied,
      detail: { summary: 'Send a message to the agent that the orchestrator chooses, and wait for the reply' },
    })
    .post('/chat/stream', (sent) => stream(AUTO, sent), {
      ...common,
      ...streamed,
      detail: { summary: 'Send a message to the agent that the orchestrator chooses, and stream the reply' },
    })

  function accept(agent_id: string, { principal, body, headers }: Sent): Promise<AcceptedTurn> {
    const idempotency_key = headers['idempotency-key']
    return acceptMessage(context, principal, { agent_id, request: body, idempotency_key, route: `chat/${agent_id}` })
  }

  async function inBackground(agent_id: string, sent: Sent) {
    const { message_id: _, ...receipt } = await accept(agent_id, sent)
    return status(202, { ...receipt, status: 'queued' as const })
  }

  async function reply(agent_id: string, sent: Sent) {
    const { principal, body, request } = sent
    if (body.background) return inBackground(agent_id, sent)
    const accepted = await accept(agent_id, sent)
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
  }

  function stream(agent_id: string, sent: Sent) {
    if (sent.body.background) return inBackground(agent_id, sent)
    return sseResponse(context, sent.principal, sent.request, async (signal) => {
      const accepted = await accept(agent_id, sent)
      return context.storage.events.follow(accepted.turn_id, 0, signal)
    })
  }
}

interface Sent {
  principal: Principal
  body: ChatRequest
  headers: { 'idempotency-key'?: string | undefined }
  request: Request
}
