// Conversations of a user: create, list, read, change, export, delete.
import { Elysia } from 'elysia'
import { Type } from '@sinclair/typebox'
import { MuxiError } from '../../contracts/failures.ts'
import { AUTO } from '../../contracts/routing.ts'
import { AgentFilterSchema } from '../../contracts/schemas/agent.ts'
import { ConversationIdSchema, MessageIdSchema, UserIdSchema } from '../../contracts/schemas/chat.ts'
import {
  ConversationChangeSchema,
  ConversationExportSchema,
  ConversationSchema,
  DeletedConversationSchema,
  MessagePageSchema,
  NewConversationSchema,
} from '../../contracts/schemas/conversations.ts'
import { textOf } from '../../contracts/schemas/fields.ts'
import { DEFAULT_LIMIT, idPageFields, pageOf } from '../../contracts/schemas/lists.ts'
import { ChatIdSchema } from '../../contracts/schemas/ui-stream.ts'
import { getAgentOrThrow } from '../../db/queries/agents.ts'
import type { Principal } from '../../db/queries/keys.ts'
import {
  changeConversation,
  createConversation,
  deleteConversation,
  findConversation,
  listConversations,
} from '../../db/queries/conversations.ts'
import { ensureExternal } from '../../db/queries/external-ids.ts'
import { findUnfinishedOf } from '../../db/queries/turn-queue.ts'
import { authenticated, page } from '../plugin.ts'
import { Content, replies } from '../replies.ts'
import { actingUser, ownedOrThrow, visibleUser } from '../services/access.ts'
import type { ApiContext } from '../services/context.ts'
import { exportConversation, pageOfMessages, withTurns } from '../services/messages.ts'

const closed = { additionalProperties: false }

const download = new Content('The conversation as a file', {
  'application/json': ConversationExportSchema,
  'text/markdown': textOf('# Tea from Assam\n'),
})

export function conversationRoutes(context: ApiContext) {
  const { db } = context.storage
  const params = Type.Object({ conversation_id: ConversationIdSchema })
  const getOwned = async (principal: Principal, id: string) =>
    ownedOrThrow(principal, await findConversation(db, id), 'conversation', id)
  return new Elysia({ prefix: '/conversations', tags: ['conversations'] })
    .use(authenticated(context))
    .post(
      '',
      async ({ principal, body, status }) => {
        const user_id = actingUser(principal, body.user_id)
        const { agent_id = AUTO, title, external_id } = body
        if (agent_id !== AUTO) await getAgentOrThrow(db, agent_id)
        if (external_id !== undefined) {
          const id = await ensureExternal(db, { user_id, agent_id, external_id }, title)
          return status(201, await getOwned(principal, id))
        }
        return status(201, await createConversation(db, { agent_id, title, user_id }))
      },
      {
        body: NewConversationSchema,
        ...replies({ 201: ConversationSchema }, 'not_found'),
        scope: 'chat',
        detail: { summary: 'Begin a conversation: with an agent, or without one with the orchestrator' },
      },
    )
    .get(
      '',
      async ({ principal, query: { limit = DEFAULT_LIMIT, user_id, archived = 'false', ...filter } }) => {
        const rows = await listConversations(db, {
          ...filter,
          archived: archived === 'true',
          user_id: visibleUser(principal, user_id),
          limit: limit + 1,
        })
        const { items, ...rest } = page(rows, limit, ({ id }) => id)
        return { conversations: items, ...rest }
      },
      {
        query: Type.Object(
          {
            ...idPageFields('conv'),
            user_id: Type.Optional(UserIdSchema),
            agent_id: Type.Optional(AgentFilterSchema),
            external_id: Type.Optional(ChatIdSchema),
            archived: Type.Optional(
              Type.Union([Type.Literal('true'), Type.Literal('false')], { description: "'true' or 'false'" }),
            ),
          },
          closed,
        ),
        ...replies({ 200: pageOf('conversations', ConversationSchema) }),
        scope: 'chat',
        detail: { summary: 'List conversations, newest first' },
      },
    )
    .get('/:conversation_id', ({ principal, params: { conversation_id } }) => getOwned(principal, conversation_id), {
      params,
      ...replies({ 200: ConversationSchema }),
      scope: 'chat',
      detail: { summary: 'Read a conversation' },
    })
    .patch(
      '/:conversation_id',
      async ({ principal, params: { conversation_id }, body }) => {
        const { id } = await getOwned(principal, conversation_id)
        await changeConversation(db, id, body)
        return getOwned(principal, id)
      },
      {
        params,
        body: ConversationChangeSchema,
        ...replies({ 200: ConversationSchema }),
        scope: 'chat',
        detail: { summary: 'Rename or archive a conversation' },
      },
    )
    .delete(
      '/:conversation_id',
      async ({ principal, params: { conversation_id } }) => {
        const { id } = await getOwned(principal, conversation_id)
        const deleted = await db.transaction().execute(async (tx) => {
          const busy = await findUnfinishedOf(tx, id)
          if (busy) throw new MuxiError('conflict', `Cannot delete conversation '${id}': turn '${busy}' is running`)
          return deleteConversation(tx, id)
        })
        for (const documentId of deleted.documents) await context.vectors.discard(documentId)
        return { id, status: 'deleted' as const, message_count: deleted.messages }
      },
      {
        params,
        ...replies({ 200: DeletedConversationSchema }, 'conflict'),
        scope: 'chat',
        detail: { summary: 'Delete a conversation with everything said in it' },
      },
    )
    .get(
      '/:conversation_id/messages',
      async ({ principal, params: { conversation_id }, query: { limit = DEFAULT_LIMIT, include, ...place } }) => {
        const { id } = await getOwned(principal, conversation_id)
        const { messages, ...rest } = await pageOfMessages(db, id, { limit, ...place })
        return { messages: include === 'turns' ? await withTurns(db, messages) : messages, ...rest }
      },
      {
        params,
        query: Type.Object(
          {
            ...idPageFields('msg'),
            after: Type.Optional(MessageIdSchema),
            around: Type.Optional(MessageIdSchema),
            include: Type.Optional(Type.Literal('turns')),
          },
          closed,
        ),
        ...replies({ 200: MessagePageSchema }),
        scope: 'chat',
        detail: { summary: 'List messages, newest first: the latest, those before or after one, or those around one' },
      },
    )
    .get(
      '/:conversation_id/export',
      async ({ principal, params: { conversation_id }, query: { format = 'json' } }) =>
        exportConversation(db, await getOwned(principal, conversation_id), format),
      {
        params,
        query: Type.Object(
          {
            format: Type.Optional(
              Type.Union([Type.Literal('md'), Type.Literal('json')], { description: "'md' or 'json'" }),
            ),
          },
          closed,
        ),
        ...replies({ 200: download }),
        scope: 'chat',
        detail: { summary: 'Download a conversation as Markdown or JSON' },
      },
    )
}
