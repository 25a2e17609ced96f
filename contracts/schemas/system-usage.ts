// How much the server was used in a period.
import { type Static, Type } from '@sinclair/typebox'
import { CountSchema, oneOf } from './fields.ts'

const closed = { additionalProperties: false }

export const UsagePeriodSchema = oneOf(
  ['last_hour', 'last_24h', 'last_7d', 'last_30d'],
  'Until now; of routes the hour in which it begins counts as a whole. Default: `last_24h`',
)
export type UsagePeriod = Static<typeof UsagePeriodSchema>

export const SystemUsageSchema = Type.Object(
  {
    period: UsagePeriodSchema,
    endpoints: Type.Record(Type.String(), CountSchema, { description: 'Requests with a valid key, by route' }),
    agent_usage: Type.Record(Type.String(), CountSchema, { description: 'Turns of clients, by agent' }),
    user_count: Type.Integer({ minimum: 0, description: 'Users who have sent a message' }),
    total_requests: CountSchema,
    tokens: Type.Integer({ minimum: 0, description: 'Input and output of the model calls that have ended' }),
    cost_usd: Type.Number({ minimum: 0, description: 'Of the calls whose price is known' }),
  },
  {
    ...closed,
    $id: 'SystemUsage',
    examples: [
      {
        period: 'last_24h',
        endpoints: { 'GET /api/v1/agents': 212, 'POST /api/v1/agents/{agent_id}/chat': 40 },
        agent_usage: { assistant: 40 },
        user_count: 3,
        total_requests: 252,
        tokens: 48_112,
        cost_usd: 0.0893,
      },
    ],
  },
)
