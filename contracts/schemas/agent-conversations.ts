// What a user and an agent have said to each other, in all of their conversations.
import { Type } from '@sinclair/typebox'
import { AgentFilterSchema } from './agent.ts'
import { UserIdSchema } from './chat.ts'
import { CountSchema } from './fields.ts'
import { ReplySchema } from './turns.ts'

const closed = { additionalProperties: false }
const { id, turn_id, conversation_id, agent_id, user_id, user_message, agent_response, status, created_at } =
  ReplySchema.properties

export const ExchangeSchema = Type.Object(
  { id, turn_id, conversation_id, agent_id, user_id, user_message, agent_response, status, created_at },
  { ...closed, $id: 'Exchange' },
)

export const ExchangesSchema = Type.Object(
  {
    messages: Type.Array(ExchangeSchema, { description: 'Newest first' }),
    has_more: Type.Boolean({ description: 'Whether there are older ones: `before` the last id leads to them' }),
  },
  closed,
)

export const ClearedConversationsSchema = Type.Object(
  {
    status: Type.Literal('cleared'),
    agent_id: AgentFilterSchema,
    user_id: UserIdSchema,
    message_count: CountSchema,
  },
  closed,
)
