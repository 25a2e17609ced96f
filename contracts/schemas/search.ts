// The query of a search in messages.
import { Type } from '@sinclair/typebox'
import { AgentFilterSchema } from './agent.ts'
import { UserIdSchema } from './chat.ts'

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
