// The query of a search in messages.
import { Type } from '@sinclair/typebox'
import { AgentFilterSchema } from './agent.ts'
import { ConversationIdSchema, MessageIdSchema, UserIdSchema } from './chat.ts'
import { textOf, TimeSchema } from './fields.ts'

export const DEFAULT_RESULTS = 20

export const SearchQuerySchema = Type.Object(
  {
    query: Type.String({ minLength: 1, maxLength: 4_000, examples: ['spring tide'] }),
    agent_id: Type.Optional(AgentFilterSchema),
    user_id: Type.Optional(UserIdSchema),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: DEFAULT_RESULTS })),
  },
  { additionalProperties: false },
)

export const SearchResultsSchema = Type.Object(
  {
    results: Type.Array(
      Type.Object(
        {
          conversation_id: ConversationIdSchema,
          message_id: MessageIdSchema,
          snippet: textOf(
            '…at the spring tide the lower pier is under water…',
            'The part of the message that was found',
          ),
          created_at: TimeSchema,
          similarity: Type.Number({ minimum: 0, maximum: 1, examples: [0.83] }),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false, $id: 'SearchResults' },
)
