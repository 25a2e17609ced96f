// The events of turns and jobs on the wire: over SSE as `{id, event, data}`, over the WebSocket as the data of frames.
import { Type, type TProperties, type TSchema } from '@sinclair/typebox'
import type { ApprovalDecision, ApprovalKind } from '../approval.ts'
import type { NoticeCode } from '../notices.ts'
import { AgentIdSchema } from './agent.ts'
import { ApprovalIdSchema } from './approvals.ts'
import { ConversationIdSchema, MessageIdSchema, TurnIdSchema } from './chat.ts'
import { ErrorBodySchema } from './errors.ts'
import { exampleOf } from './examples.ts'
import { CountSchema, oneOf, textOf, TimeSchema } from './fields.ts'
import { JobIdSchema } from './jobs.ts'

const closed = { additionalProperties: false }
const call_id = textOf('call_1_1', 'Of the call')
const object = <P extends TProperties>(properties: P) => Type.Object(properties, closed)
/** Any JSON. */
export const anything = (example: unknown, description?: string) =>
  Type.Unknown({ ...(description !== undefined && { description }), examples: [example] })

export const UsageSchema = Type.Object(
  {
    input_tokens: CountSchema,
    output_tokens: CountSchema,
    cost_usd: Type.Optional(Type.Number({ minimum: 0, description: 'When the price is known' })),
  },
  { ...closed, $id: 'TokenUsage', examples: [{ input_tokens: 412, output_tokens: 96, cost_usd: 0.000318 }] },
)

export const FinishReasonSchema = oneOf(
  ['stop', 'length', 'tool_calls', 'content_filter', 'refusal', 'error'],
  'Why the model ended the reply; `length` and `content_filter`: it was cut; `refusal`: its text says that the model refuses',
)

export const approvalRequiredFields = {
  id: ApprovalIdSchema,
  call_id,
  kind: oneOf(['tool', 'question', 'sign_in'] satisfies ApprovalKind[]),
  name: textOf('send_mail'),
  server: textOf('mail'),
  parameters: Type.Optional(anything({ to: 'anna@example.org' })),
  drifted: Type.Optional(Type.Literal(true, { description: 'The tool has changed since its server was configured' })),
  schema: Type.Optional(Type.Unknown({ description: 'Of the answer to a question' })),
  url: Type.Optional(Type.String({ description: 'Of a sign-in' })),
  message: Type.Optional(Type.String()),
  agent_id: Type.Optional(
    Type.String({ description: 'The agent that was asked and whose call waits; `call_id` is the call that asked it' }),
  ),
}

const STAGES = [
  'waiting',
  'inspecting',
  'preparing',
  'parsing',
  'describing',
  'reading',
  'transcribing',
  'indexing',
  'embedding',
  'summarizing',
  'publishing',
  'retrying',
  'done',
] as const

export const ProgressSchema = Type.Object(
  {
    done: CountSchema,
    total: CountSchema,
    unit: oneOf(['pages', 'pictures', 'segments', 'parts', 'chunks']),
    stage: oneOf(STAGES),
    eta_s: Type.Optional(Type.Number({ minimum: 0 })),
  },
  { ...closed, $id: 'Progress', examples: [{ done: 12, total: 40, unit: 'pages', stage: 'reading', eta_s: 21 }] },
)

const NoticeSchema = object({
  code: oneOf(['no_text', 'not_read', 'left_out', 'uncertain', 'unreadable', 'replaced'] satisfies NoticeCode[]),
  message: textOf('Formulas without a stored value'),
  count: CountSchema,
  places: Type.Optional(Type.Array(textOf('Sheet Costs, C2'))),
  text: Type.Optional(textOf('Formulas without a stored value (Sheet Costs, C2)')),
})

export const DocumentResultSchema = object({
  document_id: textOf('doc_0199c0ffee7a7d3c8f21b7a0e4d95c16'),
  pages: CountSchema,
  chunks: CountSchema,
  notices: Type.Optional(Type.Array(NoticeSchema, { description: 'What was left out, not read or guessed' })),
  image_file_id: Type.Optional(Type.String({ description: 'Of an image: a copy without private metadata' })),
  thumbnail_file_id: Type.Optional(Type.String()),
  description: Type.Optional(Type.String()),
  duration_ms: Type.Optional(Type.Number({ description: 'Of a recording' })),
  sound_ms: Type.Optional(Type.Number({ description: 'Of a recording, without silence' })),
  summary: Type.Optional(Type.String()),
  skipped: Type.Optional(
    Type.Array(object({ name: Type.String(), reason: Type.String() }), {
      description: 'Files within it that were not read',
    }),
  ),
  usage: Type.Optional(UsageSchema),
  reused_job_id: Type.Optional(Type.String({ description: 'The earlier job with the same bytes and options' })),
})

export const ReembedResultSchema = object({
  model: textOf('text-embedding-3-small'),
  dimension: CountSchema,
  chunks: CountSchema,
  refused: Type.Optional(
    Type.Integer({
      minimum: 0,
      description: 'Chunks that the embedding server refused; they are found by their words only',
    }),
  ),
})

export const JobResultSchema = Type.Union([DocumentResultSchema, ReembedResultSchema], {
  $id: 'JobResult',
  examples: [{ document_id: 'doc_0199c0ffee7a7d3c8f21b7a0e4d95c16', pages: 12, chunks: 31 }],
})

/** The data of each event of a turn. */
export const turnEventData = {
  accepted: object({ turn_id: TurnIdSchema, conversation_id: ConversationIdSchema, message_id: MessageIdSchema }),
  message_start: object({
    id: MessageIdSchema,
    turn_id: TurnIdSchema,
    conversation_id: ConversationIdSchema,
    agent_id: AgentIdSchema,
    routing_confidence: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    created_at: TimeSchema,
  }),
  content: object({
    content: textOf('Assam tea is malty.'),
    step: Type.Integer({ minimum: 1 }),
    refusal: Type.Optional(Type.Literal(true, { description: 'The text says that the model refuses' })),
  }),
  content_reset: object({
    step: Type.Integer({ minimum: 0 }),
    reason: textOf('interrupted'),
    content: textOf('', 'Takes the place of everything shown of this message'),
  }),
  tool_call_start: object({
    id: call_id,
    name: textOf('calculate'),
    server: textOf('builtin'),
    parameters: anything({ expression: '6 * 7' }),
    turn_id: Type.Optional(Type.String({ description: 'The turn of the agent that is asked' })),
  }),
  tool_call_progress: object({
    id: call_id,
    progress: Type.Number(),
    total: Type.Optional(Type.Number()),
    message: Type.Optional(Type.String()),
  }),
  tool_call_end: object({
    id: call_id,
    output: anything('42'),
    is_error: Type.Boolean(),
    agent_id: Type.Optional(Type.String({ description: 'The agent that goes on with the turn' })),
  }),
  approval_required: object(approvalRequiredFields),
  approval_decided: object({
    id: ApprovalIdSchema,
    decision: oneOf(['approve', 'deny', 'answer', 'cancelled'] satisfies (ApprovalDecision | 'cancelled')[]),
  }),
  message_end: object({
    id: MessageIdSchema,
    usage: UsageSchema,
    finish_reason: Type.Optional(FinishReasonSchema),
    agent_id: Type.Optional(Type.String({ description: 'The agent that the turn was handed over to' })),
  }),
  cancelled: object({ id: MessageIdSchema }),
  error: ErrorBodySchema,
}

/** The data of each event of a job. */
export const jobEventData = {
  progress: ProgressSchema,
  completed: object({ id: JobIdSchema, result: JobResultSchema }),
  failed: object({ ...ErrorBodySchema.properties, id: JobIdSchema }),
  cancelled: object({ id: JobIdSchema }),
}

/** JSON as text, as OpenAPI 3.2 describes the data of events. */
export function jsonText(schema: TSchema) {
  return Type.Unsafe<string>({
    type: 'string',
    contentMediaType: 'application/json',
    contentSchema: schema,
    examples: [JSON.stringify(exampleOf(schema))],
  })
}

/** One event of a stream. @param data the schema of each event by its name */
export function eventSchema(name: string, data: Record<string, TSchema>) {
  return Type.Union(
    Object.entries(data).map(([event, schema]) =>
      Type.Object(
        {
          id: Type.Optional(textOf('3', 'The number of the event; `Last-Event-ID` goes on after it')),
          event: Type.Literal(event),
          data: jsonText(schema),
        },
        closed,
      ),
    ),
    { $id: name },
  )
}

export const TurnEventSchema = eventSchema('TurnEvent', turnEventData)
export const JobEventSchema = eventSchema('JobEvent', jobEventData)
