// What a client asks of the live feed.
import { Type } from '@sinclair/typebox'
import { type ChangeOp, TOPICS } from '../feed.ts'
import { AgentBriefSchema } from './agent-views.ts'
import { ConversationSchema } from './conversations.ts'
import { eventSchema } from './events.ts'
import { oneOf, textOf } from './fields.ts'
import { JobSchema } from './job-views.ts'
import { ApprovalSchema, TurnBriefSchema } from './turns.ts'

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

const changed = Type.Object(
  {
    topic: oneOf(TOPICS),
    id: textOf('job_0199c0ffee7a7d3c8f21b7a0e4d95c16'),
    op: oneOf(['created', 'updated', 'deleted'] satisfies ChangeOp[]),
    item: Type.Union([Type.Null(), ApprovalSchema, JobSchema, ConversationSchema, TurnBriefSchema, AgentBriefSchema], {
      description: 'As in the list of its topic; null when it was deleted',
    }),
  },
  { additionalProperties: false, $id: 'Change' },
)

/** The data of each event of the feed. */
export const feedEventData = { changed }
export const FeedEventSchema = eventSchema('FeedEvent', feedEventData)
