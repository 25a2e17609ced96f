// What a client asks of the live feed.
import { Type, type TSchema } from '@sinclair/typebox'
import { TOPICS, type ChangeOp, type Topic } from '../feed.ts'
import { AgentIdSchema } from './agent.ts'
import { AgentBriefSchema } from './agent-views.ts'
import { ApprovalIdSchema } from './approvals.ts'
import { ConversationIdSchema, TurnIdSchema } from './chat.ts'
import { ConversationSchema } from './conversations.ts'
import { eventSchema } from './events.ts'
import { oneOf } from './fields.ts'
import { JobSchema } from './job-views.ts'
import { JobIdSchema } from './jobs.ts'
import { ApprovalSchema, TurnBriefSchema } from './turns.ts'

export const FeedQuerySchema = Type.Object(
  {
    topics: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 200,
        pattern: `^(${TOPICS.join('|')})( *, *(${TOPICS.join('|')}))*$`,
        description: `a comma list of ${TOPICS.join(', ')}; default: all that the key may read`,
        examples: ['conversations,turns'],
      }),
    ),
  },
  { additionalProperties: false },
)

const closed = { additionalProperties: false }
const op = oneOf(['created', 'updated', 'deleted'] satisfies ChangeOp[])
/** Items as their list routes give them. */
const ITEMS: [topic: Topic, id: TSchema, item: TSchema][] = [
  ['conversations', ConversationIdSchema, ConversationSchema],
  ['turns', TurnIdSchema, TurnBriefSchema],
  ['approvals', ApprovalIdSchema, ApprovalSchema],
  ['jobs', JobIdSchema, JobSchema],
  ['agents', AgentIdSchema, AgentBriefSchema],
]

export const ChangedSchema = Type.Union(
  ITEMS.map(([topic, id, item]) =>
    Type.Object({ topic: Type.Literal(topic), id, op, item: Type.Union([item, Type.Null()]) }, closed),
  ),
  { $id: 'Changed', description: '`item` is null when `op` is `deleted`' },
)

export const ChangedEventSchema = eventSchema('ChangedEvent', { changed: ChangedSchema })
