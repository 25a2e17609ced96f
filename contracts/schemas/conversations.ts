// Conversations and their messages.
import { Type } from '@sinclair/typebox'
import { AgentFilterSchema, AgentIdSchema } from './agent.ts'
import { ConversationIdSchema, MessageIdSchema, TurnIdSchema, UserIdSchema } from './chat.ts'
import { ErrorBodySchema } from './errors.ts'
import { FinishReasonSchema, UsageSchema } from './events.ts'
import { CountSchema, oneOf, orNull, textOf, TimeSchema } from './fields.ts'
import { NextCursorSchema } from './lists.ts'
import { ApprovalSchema, AttachmentViewSchema, ToolCallSchema, TurnStatusSchema } from './turns.ts'
import { ChatIdSchema } from './ui-stream.ts'

const closed = { additionalProperties: false }
const TitleSchema = Type.String({ minLength: 1, maxLength: 200, examples: ['Tea from Assam'] })

export const NewConversationSchema = Type.Object(
  {
    agent_id: Type.Optional(AgentIdSchema),
    user_id: Type.Optional(UserIdSchema),
    title: Type.Optional(TitleSchema),
    external_id: Type.Optional({
      ...ChatIdSchema,
      description: 'Your name for it, one for a user and an agent: the conversation that has it already is the answer',
    }),
  },
  closed,
)

export const ConversationChangeSchema = Type.Object(
  { title: Type.Optional(TitleSchema), archived: Type.Optional(Type.Boolean()) },
  closed,
)

export const ConversationSchema = Type.Object(
  {
    id: ConversationIdSchema,
    agent_id: AgentFilterSchema,
    user_id: UserIdSchema,
    title: orNull(textOf('Tea from Assam', 'Made from the first message unless set')),
    archived: Type.Boolean(),
    created_at: TimeSchema,
    last_message_at: orNull(TimeSchema),
    external_id: Type.Optional(textOf('chat-7', 'The id that useChat gave to the chat')),
  },
  { ...closed, $id: 'Conversation' },
)

export const DeletedConversationSchema = Type.Object(
  { id: ConversationIdSchema, status: Type.Literal('deleted'), message_count: CountSchema },
  closed,
)

const MessageTurnSchema = Type.Object(
  {
    turn_id: TurnIdSchema,
    status: TurnStatusSchema,
    agent_id: AgentFilterSchema,
    finish_reason: Type.Optional(FinishReasonSchema),
    routing_confidence: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    usage: Type.Optional(UsageSchema),
    error: Type.Optional(ErrorBodySchema),
    started_at: orNull(TimeSchema),
    finished_at: orNull(TimeSchema),
    tool_calls: Type.Array(ToolCallSchema),
    approvals: Type.Array(ApprovalSchema),
  },
  {
    ...closed,
    description:
      'With `include=turns`, of a user’s message, or of a reply without that message in the page: what its turn did',
  },
)

export const MessageSchema = Type.Object(
  {
    id: MessageIdSchema,
    turn_id: TurnIdSchema,
    role: oneOf(['user', 'assistant']),
    content: textOf('Which tea grows in Assam?'),
    status: textOf('completed'),
    attachments: Type.Array(AttachmentViewSchema),
    created_at: TimeSchema,
    turn: Type.Optional(MessageTurnSchema),
    superseded: Type.Optional(Type.Literal(true, { description: 'A later message has replaced it' })),
  },
  { ...closed, $id: 'Message' },
)

export const MessagePageSchema = Type.Object(
  {
    messages: Type.Array(MessageSchema, { description: 'Newest first' }),
    has_more: Type.Boolean({ description: 'Whether there are older ones, which `next_cursor` leads to' }),
    next_cursor: NextCursorSchema,
    has_newer: Type.Boolean({ description: 'Whether there are newer ones: `after` the first message leads to them' }),
  },
  closed,
)

export const ConversationExportSchema = Type.Object(
  { ...ConversationSchema.properties, messages: Type.Array(MessageSchema, { description: 'Oldest first' }) },
  closed,
)
