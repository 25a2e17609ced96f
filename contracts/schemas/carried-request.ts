// What a message brings that continues no conversation here: all of its own conversation, with the caller's instructions and tools.
import { type Static, Type } from '@sinclair/typebox'
import { ReasoningSchema } from './agent.ts'

const text = Type.String()

/** Of a message of the user: a text, or what is attached to the turn, by its place among the attachments. */
const UserPartSchema = Type.Union([
  Type.Object({ type: Type.Literal('text'), text }),
  Type.Object({ type: Type.Literal('attachment'), index: Type.Integer() }),
])

const CarriedMessageSchema = Type.Union([
  Type.Object({ role: Type.Literal('user'), parts: Type.Array(UserPartSchema) }),
  Type.Object({
    role: Type.Literal('assistant'),
    content: text,
    calls: Type.Array(Type.Object({ id: text, name: text, arguments: text })),
  }),
  Type.Object({ role: Type.Literal('tool'), call_id: text, content: text }),
])
export type CarriedMessage = Static<typeof CarriedMessageSchema>

const CallerToolSchema = Type.Object({
  name: text,
  description: text,
  parameters: Type.Record(Type.String(), Type.Unknown()),
  /** The arguments must follow the schema, where the vendor enforces it. */
  strict: Type.Optional(Type.Boolean()),
})

export const CarriedRequestSchema = Type.Object({
  /** They follow those of the agent; empty without any. */
  instructions: text,
  /** All of them: also the one to answer, and what followed it. */
  messages: Type.Array(CarriedMessageSchema),
  /** Their calls are returned to the caller. */
  tools: Type.Array(CallerToolSchema),
  /** `none`: the caller's tools are not offered; anything else: the model must call one of them, or this one. */
  tool_choice: Type.Optional(Type.Union([Type.Literal('none'), Type.Literal('required'), Type.Object({ name: text })])),
  /** The caller takes one call at a time. */
  single_call: Type.Optional(Type.Boolean()),
  temperature: Type.Optional(Type.Number()),
  top_p: Type.Optional(Type.Number()),
  max_output_tokens: Type.Optional(Type.Integer()),
  /** The reply ends before one of them. */
  stop: Type.Optional(Type.Array(text)),
  seed: Type.Optional(Type.Integer()),
  frequency_penalty: Type.Optional(Type.Number()),
  presence_penalty: Type.Optional(Type.Number()),
  reasoning: Type.Optional(ReasoningSchema),
})
export type CarriedRequest = Static<typeof CarriedRequestSchema>
