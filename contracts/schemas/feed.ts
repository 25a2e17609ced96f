// What a client asks of the live feed.
import { Type } from '@sinclair/typebox'
import { TOPICS } from '../feed.ts'

export const FeedQuerySchema = Type.Object(
  {
    topics: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 200,
        description: `a comma list of ${TOPICS.join(', ')}; default: all that the key may read`,
        examples: ['conversations,turns'],
      }),
    ),
  },
  { additionalProperties: false },
)
