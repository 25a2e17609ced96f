// What a user and an agent have said to each other, in all of their conversations: list it, clear it.
import { Elysia } from 'elysia'
import { Type } from '@sinclair/typebox'
import { AUTO } from '../../contracts/routing.ts'
import { AgentFilterSchema } from '../../contracts/schemas/agent.ts'
import { ClearedConversationsSchema, ExchangesSchema } from '../../contracts/schemas/agent-conversations.ts'
import { ConversationIdSchema, MessageIdSchema, UserIdSchema } from '../../contracts/schemas/chat.ts'
import { DEFAULT_LIMIT, LimitSchema } from '../../contracts/schemas/lists.ts'
import { getAgentOrThrow } from '../../db/queries/agents.ts'
import { findConversation } from '../../db/queries/conversations.ts'
import { authenticated } from '../plugin.ts'
import { replies } from '../replies.ts'
import { actingUser, ownedOrThrow } from '../services/access.ts'
import type { ApiContext } from '../services/context.ts'
import { clearConversations, pageOfExchanges } from '../services/exchanges.ts'

const closed = { additionalProperties: false }
const user_id = Type.Optional(UserIdSchema)

export function agentConversationRoutes(context: ApiContext) {
  const { db } = context.storage
  const params = Type.Object({ agent_id: AgentFilterSchema })
  return new Elysia({ prefix: '/agents/:agent_id/conversations', tags: ['conversations'] })
    .use(authenticated(context))
    .get(
      '',
      async ({ principal, params: { agent_id }, query: { limit = DEFAULT_LIMIT, user_id: asked, ...place } }) => {
        const owner = { agent_id, user_id: actingUser(principal, asked) }
        if (agent_id !== AUTO) await getAgentOrThrow(db, agent_id)
        const { conversation_id } = place
        if (conversation_id !== undefined)
          ownedOrThrow(principal, await findConversation(db, conversation_id), 'conversation', conversation_id)
        return pageOfExchanges(context, { ...owner, ...place, limit })
      },
      {
        params,
        query: Type.Object(
          {
            user_id,
            conversation_id: Type.Optional(ConversationIdSchema),
            limit: Type.Optional(LimitSchema),
            before: Type.Optional(MessageIdSchema),
          },
          closed,
        ),
        ...replies({ 200: ExchangesSchema }),
        scope: 'chat',
        detail: { summary: 'List what a user and an agent have said to each other, newest first' },
      },
    )
    .delete(
      '',
      async ({ principal, params: { agent_id }, query: { user_id: asked } }) => {
        const owner = { agent_id, user_id: actingUser(principal, asked) }
        if (agent_id !== AUTO) await getAgentOrThrow(db, agent_id)
        return { status: 'cleared' as const, ...owner, message_count: await clearConversations(context, owner) }
      },
      {
        params,
        query: Type.Object({ user_id }, closed),
        ...replies({ 200: ClearedConversationsSchema }, 'conflict'),
        scope: 'chat',
        detail: { summary: 'Delete all conversations of a user with an agent' },
      },
    )
}
