// Limits of requests that a key has of its own.
import { Type } from '@sinclair/typebox'

const closed = { additionalProperties: false }
const Limit = Type.Optional(
  Type.Object(
    {
      requests: Type.Integer({ minimum: 1, maximum: 999_999_999, description: 'At once, and in each further period' }),
      seconds: Type.Integer({ minimum: 1, maximum: 9_999_999, description: 'The period' }),
    },
    closed,
  ),
)

/** By class of requests; the operator's limit holds for a class that is left out. */
export const KeyRateLimitsSchema = Type.Object(
  { chat: Limit, write: Limit, read: Limit },
  {
    ...closed,
    description: "In place of the operator's limits: messages, other writes, and reads",
    examples: [{ chat: { requests: 60, seconds: 60 } }],
  },
)
