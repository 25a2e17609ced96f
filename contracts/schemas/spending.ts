// What was spent on models: the question and the answer.
import { Type, type Static } from '@sinclair/typebox'
import { UserIdSchema } from './chat.ts'
import { CountSchema, oneOf } from './fields.ts'
import { pageFields } from './lists.ts'

const closed = { additionalProperties: false }
const Day = Type.String({
  pattern: '^\\d{4}-\\d\\d-\\d\\d$',
  description: 'a day in UTC, such as 2026-11-29',
  examples: ['2026-11-29'],
})
const Group = oneOf(['day', 'user', 'agent', 'model', 'key'], 'Default: `day`')
const Period = oneOf(['today', 'last_7d', 'last_30d'], 'Whole days in UTC, today included; default: `today`')

export const SpendingQuerySchema = Type.Object(
  {
    group_by: Type.Optional(Group),
    period: Type.Optional(Period),
    user_id: Type.Optional(UserIdSchema),
    // Of calls without an agent it is empty.
    ...pageFields(Type.String({ maxLength: 256 })),
  },
  closed,
)
export type SpendingQuery = Static<typeof SpendingQuerySchema>

export const SpendingSchema = Type.Object(
  {
    period: Period,
    since: Day,
    until: Day,
    group_by: Group,
    usage: Type.Array(
      Type.Object(
        {
          id: Type.Union([Type.String(), Type.Null()], {
            description: 'Of the key, user, agent, model or day; null: calls without an agent',
          }),
          requests: CountSchema,
          input_tokens: CountSchema,
          output_tokens: CountSchema,
          cost_usd: Type.Number({ minimum: 0, description: 'Of the requests whose price is known' }),
        },
        closed,
      ),
    ),
    has_more: Type.Boolean(),
    next_cursor: Type.Union([Type.String(), Type.Null()]),
  },
  {
    ...closed,
    $id: 'Usage',
    examples: [
      {
        period: 'last_7d',
        since: '2026-11-23',
        until: '2026-11-29',
        group_by: 'model',
        usage: [
          {
            id: 'openai:gpt-4.1-mini',
            requests: 1_204,
            input_tokens: 910_332,
            output_tokens: 201_877,
            cost_usd: 0.687136,
          },
        ],
        has_more: false,
        next_cursor: null,
      },
    ],
  },
)
