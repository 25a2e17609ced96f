// The body of POST /v1/chat/completions: the part of OpenAI's request that is read. Other keys are ignored there, as OpenAI's clients
// expect, and null is the same as left out.
import { type Static, type TSchema, Type } from '@sinclair/typebox'

/** Longest name of a model, also of one that there is not. */
const MAX_NAME = 256
/** Messages of one conversation. */
const MAX_MESSAGES = 10_000
/** Tools that providers take in one request. */
const MAX_TOOLS = 128

const optional = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))

const TextPartSchema = Type.Object({ type: Type.Literal('text'), text: Type.String() })
const TextsSchema = Type.Union([Type.String(), Type.Array(TextPartSchema)], { description: 'a text, or parts of text' })

const UserPartSchema = Type.Union([
  TextPartSchema,
  Type.Object({
    type: Type.Literal('image_url'),
    image_url: Type.Object({ url: Type.String({ description: 'a data URL, or an http or https URL' }) }),
  }),
  Type.Object({
    type: Type.Literal('input_audio'),
    input_audio: Type.Object({ data: Type.String(), format: Type.String({ maxLength: 16 }) }),
  }),
  Type.Object({
    type: Type.Literal('file'),
    file: Type.Object({
      file_data: optional(Type.String({ description: 'a data URL, or the bytes in base64' })),
      filename: optional(Type.String({ maxLength: 255 })),
      file_id: optional(Type.String({ maxLength: 128 })),
    }),
  }),
])

const ToolCallSchema = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 256 }),
  function: Type.Object({ name: Type.String({ minLength: 1, maxLength: 128 }), arguments: Type.String() }),
})

const MessageSchema = Type.Union([
  Type.Object({ role: Type.Union([Type.Literal('system'), Type.Literal('developer')]), content: TextsSchema }),
  Type.Object({ role: Type.Literal('user'), content: Type.Union([Type.String(), Type.Array(UserPartSchema)]) }),
  Type.Object({
    role: Type.Literal('assistant'),
    content: optional(
      Type.Union([
        Type.String(),
        Type.Array(
          Type.Union([TextPartSchema, Type.Object({ type: Type.Literal('refusal'), refusal: Type.String() })]),
        ),
      ]),
    ),
    refusal: optional(Type.String()),
    tool_calls: optional(Type.Array(ToolCallSchema, { maxItems: 256 })),
  }),
  Type.Object({ role: Type.Literal('tool'), tool_call_id: Type.String({ minLength: 1 }), content: TextsSchema }),
])
export type ChatCompletionMessage = Static<typeof MessageSchema>

const FunctionNameSchema = Type.String({
  pattern: '^[A-Za-z0-9_-]{1,64}$',
  description: "1 to 64 letters, digits, '_' or '-'",
})

const ToolSchema = Type.Object({
  type: Type.Literal('function'),
  function: Type.Object({
    name: FunctionNameSchema,
    description: optional(Type.String()),
    parameters: optional(Type.Record(Type.String(), Type.Unknown())),
    strict: optional(Type.Boolean()),
  }),
})

const ToolChoiceSchema = Type.Union([
  Type.Literal('none'),
  Type.Literal('auto'),
  Type.Literal('required'),
  Type.Object({ type: Type.Literal('function'), function: Type.Object({ name: FunctionNameSchema }) }),
])

const ResponseFormatSchema = Type.Union([
  Type.Object({ type: Type.Literal('text') }),
  Type.Object({ type: Type.Literal('json_object') }),
  Type.Object({
    type: Type.Literal('json_schema'),
    json_schema: Type.Object({ schema: optional(Type.Record(Type.String(), Type.Unknown())) }),
  }),
])

/** The efforts of OpenAI's models. */
const EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const
const StopSchema = Type.String({ minLength: 1, maxLength: 1_024 })

const tokens = (description: string) => optional(Type.Integer({ minimum: 1, maximum: 1_000_000, description }))

export const ChatCompletionRequestSchema = Type.Object(
  {
    model: Type.String({ minLength: 1, maxLength: MAX_NAME, description: "The id of an agent, or 'auto'" }),
    messages: Type.Array(MessageSchema, { minItems: 1, maxItems: MAX_MESSAGES }),
    stream: optional(Type.Boolean()),
    stream_options: optional(Type.Object({ include_usage: optional(Type.Boolean()) })),
    tools: optional(Type.Array(ToolSchema, { maxItems: MAX_TOOLS })),
    tool_choice: optional(ToolChoiceSchema),
    parallel_tool_calls: optional(Type.Boolean()),
    response_format: optional(ResponseFormatSchema),
    temperature: optional(Type.Number({ minimum: 0, maximum: 2 })),
    top_p: optional(Type.Number({ minimum: 0, maximum: 1 })),
    max_completion_tokens: tokens('Longest reply of one model call, in tokens'),
    max_tokens: tokens("The older name of 'max_completion_tokens'"),
    stop: optional(
      Type.Union([StopSchema, Type.Array(StopSchema, { maxItems: 4 })], {
        description: 'The reply ends before one of these texts',
      }),
    ),
    seed: optional(Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER })),
    frequency_penalty: optional(Type.Number({ minimum: -2, maximum: 2 })),
    presence_penalty: optional(Type.Number({ minimum: -2, maximum: 2 })),
    reasoning_effort: optional(Type.Union(EFFORTS.map((effort) => Type.Literal(effort)))),
    n: optional(Type.Integer({ minimum: 1, maximum: 1, description: '1: a turn has one reply' })),
    user: optional(Type.String({ description: 'The user that the request acts as' })),
  },
  {
    additionalProperties: true,
    examples: [{ model: 'helper', messages: [{ role: 'user', content: 'Hello' }] }],
  },
)
export type ChatCompletionRequest = Static<typeof ChatCompletionRequestSchema>
