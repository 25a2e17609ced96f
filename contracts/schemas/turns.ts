// Turns as the API shows them: replies, receipts, approvals, and the execution log.
import { Type } from '@sinclair/typebox'
import { AgentFilterSchema, AgentIdSchema } from './agent.ts'
import { ApprovalStatusSchema } from './approvals.ts'
import { ConversationIdSchema, MessageIdSchema, TurnIdSchema, UserIdSchema } from './chat.ts'
import { ErrorBodySchema } from './errors.ts'
import { anything, approvalRequiredFields, UsageSchema } from './events.ts'
import { CountSchema, oneOf, orNull, textOf, TimeSchema } from './fields.ts'

const closed = { additionalProperties: false }

export const TurnStatusSchema = oneOf([
  'running',
  'pending',
  'queued',
  'awaiting_approval',
  'completed',
  'failed',
  'cancelled',
])

/** Where the Temporal UI shows it. */
export const WorkflowSchema = Type.Object(
  {
    id: textOf('turn/turn_0199c0ffee7a7d3c8f21b7a0e4d95c16'),
    run_id: orNull(Type.String()),
    url: orNull(Type.String()),
  },
  {
    ...closed,
    $id: 'Workflow',
    examples: [
      {
        id: 'turn/turn_0199c0ffee7a7d3c8f21b7a0e4d95c16',
        run_id: '0199c100-0000-7000-8000-000000000000',
        url: 'http://127.0.0.1:8233/namespaces/default/workflows/turn%2Fturn_0199c0ffee7a7d3c8f21b7a0e4d95c16',
      },
    ],
  },
)

export const AttachmentViewSchema = Type.Object(
  {
    type: oneOf(['document', 'image', 'audio', 'reembed']),
    name: textOf('leaf.png'),
    media_type: textOf('image/png'),
    sha256: textOf('9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'),
    size: CountSchema,
    file_id: Type.Optional(textOf('file_0199c0ffee7a7d3c8f21b7a0e4d95c16')),
  },
  { ...closed, $id: 'Attachment' },
)

export const ToolCallSchema = Type.Object(
  {
    id: textOf('call_1_1'),
    name: textOf('calculate'),
    server: textOf('builtin'),
    parameters: anything({ expression: '6 * 7' }),
    output: anything('42'),
    is_error: Type.Boolean(),
    turn_id: Type.Optional(Type.String({ description: 'The turn of the agent that was asked' })),
  },
  { ...closed, $id: 'ToolCall' },
)

export const ApprovalSchema = Type.Object(
  {
    ...approvalRequiredFields,
    turn_id: TurnIdSchema,
    agent_id: AgentIdSchema,
    user_id: UserIdSchema,
    status: ApprovalStatusSchema,
    decision: Type.Optional(oneOf(['approve', 'deny', 'answer'])),
    arguments: Type.Optional(Type.Unknown({ description: 'Those that the approver set' })),
    answer: Type.Optional(Type.Unknown()),
    reason: Type.Optional(Type.String()),
    created_at: TimeSchema,
    decided_at: orNull(TimeSchema),
  },
  { ...closed, $id: 'Approval' },
)

/** What a reply is made of. */
export const ReplySchema = Type.Object(
  {
    id: MessageIdSchema,
    turn_id: TurnIdSchema,
    agent_id: AgentFilterSchema,
    user_id: UserIdSchema,
    conversation_id: ConversationIdSchema,
    status: TurnStatusSchema,
    routing_confidence: Type.Optional(
      Type.Number({ minimum: 0, maximum: 1, description: 'When the orchestrator has chosen the agent' }),
    ),
    user_message: Type.Object(
      {
        role: Type.Literal('user'),
        content: textOf('Which tea grows in Assam?'),
        attachments: Type.Optional(Type.Array(AttachmentViewSchema)),
      },
      closed,
    ),
    agent_response: Type.Optional(
      Type.Object(
        {
          role: Type.Literal('assistant'),
          content: textOf('Assam tea is malty.'),
          tool_calls: Type.Optional(Type.Array(ToolCallSchema)),
        },
        { ...closed, examples: [{ role: 'assistant', content: 'Assam tea is malty.' }] },
      ),
    ),
    usage: UsageSchema,
    created_at: TimeSchema,
  },
  { ...closed, $id: 'Reply' },
)

const placeFields = {
  position: CountSchema,
  waits_for: Type.Optional(Type.String({ description: 'The turn that runs in the conversation' })),
}

/** A turn that goes on after the answer. */
export const ReceiptSchema = Type.Object(
  {
    turn_id: TurnIdSchema,
    conversation_id: ConversationIdSchema,
    status: TurnStatusSchema,
    ...placeFields,
    approvals: Type.Optional(Type.Array(ApprovalSchema, { description: 'What it waits for' })),
  },
  { ...closed, $id: 'Receipt' },
)

const briefFields = {
  turn_id: TurnIdSchema,
  status: TurnStatusSchema,
  agent_id: AgentFilterSchema,
  user_id: UserIdSchema,
  conversation_id: ConversationIdSchema,
  parent_turn_id: Type.Optional(Type.String({ description: 'The turn whose agent asked for this one' })),
  error: Type.Optional(ErrorBodySchema),
  workflow: WorkflowSchema,
  created_at: TimeSchema,
  started_at: orNull(TimeSchema),
  finished_at: orNull(TimeSchema),
}

/** A turn in lists: without its text. */
export const TurnBriefSchema = Type.Object(briefFields, { ...closed, $id: 'TurnBrief' })

export const TurnSchema = Type.Object(
  {
    ...briefFields,
    position: Type.Optional(CountSchema),
    waits_for: placeFields.waits_for,
    message: Type.Optional(ReplySchema),
    approvals: Type.Array(ApprovalSchema),
  },
  { ...closed, $id: 'Turn' },
)

export const LogEntrySchema = Type.Object(
  {
    id: textOf('log_0199c0ffee7a7d3c8f21b7a0e4d95c16'),
    kind: oneOf(['model_call', 'routing', 'recall', 'tool_call', 'approval', 'ingestion', 'memory_write']),
    name: textOf('openai:gpt-4.1-mini'),
    status: oneOf(['completed', 'running', 'failed', 'cancelled', 'interrupted']),
    attempt: Type.Integer({ minimum: 1 }),
    started_at: TimeSchema,
    duration_ms: orNull(Type.Number({ minimum: 0 })),
    input: Type.Optional(anything({ step: 1 })),
    output: Type.Optional(anything({ content: 'Assam tea is malty.' })),
    error: Type.Optional(Type.Unknown()),
    usage: Type.Optional(anything({ input_tokens: 412, output_tokens: 96 })),
    workflow_id: textOf('turn/turn_0199c0ffee7a7d3c8f21b7a0e4d95c16'),
  },
  { ...closed, $id: 'LogEntry' },
)

export const TurnLogSchema = Type.Object(
  {
    turn_id: TurnIdSchema,
    entries: Type.Array(LogEntrySchema),
    totals: Type.Object(
      {
        duration_ms: Type.Number({ minimum: 0 }),
        model_calls: CountSchema,
        tool_calls: CountSchema,
        input_tokens: CountSchema,
        output_tokens: CountSchema,
        cost_usd: orNull(Type.Number({ minimum: 0 })),
      },
      closed,
    ),
  },
  { ...closed, $id: 'TurnLog' },
)

/** The data of each event of a log that is followed. */
export const logEventData = { entry: LogEntrySchema, end: Type.Object({}, closed) }
