// POST /agents/{agent_id}/chat/ui and /chat/ui: useChat of the `ai` package, unpatched; with /{chat_id}/stream to resume.
import { Elysia } from 'elysia'
import { Type } from '@sinclair/typebox'
import type { UiChunk } from '../../client/ui/ui-chunks.ts'
import { AUTO } from '../../contracts/routing.ts'
import { AgentIdSchema } from '../../contracts/schemas/agent.ts'
import { UserIdSchema } from '../../contracts/schemas/chat.ts'
import {
  ChatIdSchema,
  UiChatRequestSchema,
  UiEventSchema,
  type UiChatRequest,
} from '../../contracts/schemas/ui-stream.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { authenticated } from '../plugin.ts'
import { noBody, replies, streamOf } from '../replies.ts'
import type { ApiContext } from '../services/context.ts'
import { resumeUi, sendUi } from '../services/ui-chat.ts'
import { framesResponse } from '../sse.ts'

const chat = { chat_id: ChatIdSchema }
const agent = { agent_id: AgentIdSchema }

export function uiStreamRoutes(context: ApiContext) {
  const posted = {
    body: UiChatRequestSchema,
    ...replies(
      { 200: streamOf(UiEventSchema), 204: noBody('The reply has ended, and the client has seen all of it') },
      ...(['not_found', 'conflict', 'unprocessable', 'budget_exceeded'] as const),
    ),
    scope: 'chat' as const,
  }
  const followed = {
    ...replies({ 200: streamOf(UiEventSchema), 204: noBody('No turn of the chat runs') }, 'not_found'),
    query: Type.Object({ user_id: Type.Optional(UserIdSchema) }, { additionalProperties: false }),
    scope: 'chat' as const,
  }
  return new Elysia({ tags: ['chat'] })
    .use(authenticated(context))
    .post('/agents/:agent_id/chat/ui', (sent) => send(sent.params.agent_id, sent), {
      ...posted,
      params: Type.Object(agent),
      detail: { summary: 'Send a message of useChat and stream the reply as a UI message stream' },
    })
    .post('/chat/ui', (sent) => send(AUTO, sent), {
      ...posted,
      detail: { summary: 'Send a message of useChat to the agent that the orchestrator chooses' },
    })
    .get('/agents/:agent_id/chat/ui/:chat_id/stream', (sent) => resume(sent.params.agent_id, sent), {
      ...followed,
      params: Type.Object({ ...agent, ...chat }),
      detail: { summary: 'Follow the running turn of a chat of useChat from its beginning; 204 when none runs' },
    })
    .get('/chat/ui/:chat_id/stream', (sent) => resume(AUTO, sent), {
      ...followed,
      params: Type.Object(chat),
      detail: { summary: 'The same for a chat with the orchestrator' },
    })

  function send(agent_id: string, { principal, body, request }: Sent & { body: UiChatRequest }) {
    return respond({ principal, request }, (signal) => sendUi(context, principal, { agent_id, request: body, signal }))
  }

  function resume(
    agent_id: string,
    { principal, request, params, query }: Sent & { params: { chat_id: string }; query: { user_id?: string } },
  ) {
    const { chat_id: external_id } = params
    return respond({ principal, request }, (signal) =>
      resumeUi(context, principal, { agent_id, external_id, user_id: query.user_id, signal }),
    )
  }

  async function respond(
    { principal, request }: Sent,
    begin: (signal: AbortSignal) => Promise<AsyncGenerator<UiChunk[]> | undefined>,
  ): Promise<Response> {
    const response = await framesResponse(context, principal, request, async (signal) => {
      const chunks = await begin(signal)
      return chunks && framed(chunks, signal)
    })
    response.headers.set('x-vercel-ai-ui-message-stream', 'v1')
    return response
  }
}

interface Sent {
  principal: Principal
  request: Request
}

/** What useChat takes for an end would leave part of a reply as if it were the whole. */
const INTERRUPTED: UiChunk = {
  type: 'error',
  errorText: 'The stream was interrupted, and the reply is still being written: resume the chat to see all of it',
}

async function* framed(chunks: AsyncGenerator<UiChunk[]>, signal: AbortSignal): AsyncGenerator<string> {
  for await (const batch of chunks) yield batch.map(frame).join('')
  if (signal.aborted) yield frame(INTERRUPTED)
  yield 'data: [DONE]\n\n'
}

function frame(chunk: UiChunk): string {
  return `data: ${JSON.stringify(chunk)}\n\n`
}
