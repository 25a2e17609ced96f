// The request of the `ai` package's DefaultChatTransport. The package adds parts and fields between versions, so all other are ignored.
import { type Static, Type } from '@sinclair/typebox'
import { OnBusySchema } from './agent.ts'
import { chatFields, UserIdSchema } from './chat.ts'

const open = { additionalProperties: true }
/** Parts of one message. */
const MAX_PARTS = 1_000

/** The client's name of a chat. */
export const ChatIdSchema = Type.String({
  minLength: 1,
  maxLength: 200,
  pattern: '^(?!\\.{1,2}$)[^\\x00-\\x1f\\x7f]+$',
  description: "the id that useChat gives to the chat, not '.' or '..'",
  examples: ['tea-chat'],
})

const clientId = Type.String({ minLength: 1, maxLength: 200 })

export const UiPartSchema = Type.Object({ type: Type.String({ minLength: 1, maxLength: 128 }) }, open)

export const UiMessageSchema = Type.Object(
  {
    id: clientId,
    role: Type.Union([Type.Literal('system'), Type.Literal('user'), Type.Literal('assistant')]),
    parts: Type.Array(UiPartSchema, { maxItems: MAX_PARTS }),
  },
  open,
)

export const UiChatRequestSchema = Type.Object(
  {
    id: ChatIdSchema,
    messages: Type.Array(UiMessageSchema, { minItems: 1, description: 'Only the last message is read' }),
    trigger: Type.Optional(Type.Union([Type.Literal('submit-message'), Type.Literal('regenerate-message')])),
    messageId: Type.Optional(clientId),
    user_id: Type.Optional(UserIdSchema),
    on_busy: Type.Optional(OnBusySchema),
    response_schema: chatFields.response_schema,
  },
  {
    ...open,
    $id: 'UiChatRequest',
    examples: [
      {
        id: 'tea-chat',
        trigger: 'submit-message',
        messages: [{ id: 'm1', role: 'user', parts: [{ type: 'text', text: 'Which tea grows in Assam?' }] }],
      },
    ],
  },
)

/** One event of the UI message stream. */
export const UiEventSchema = Type.Object(
  {
    event: Type.Optional(Type.Literal('message', { description: 'as every event that does not name its type' })),
    data: Type.String({
      description: 'JSON of a chunk of the UI message stream protocol v1 of the `ai` package, or `[DONE]`',
      examples: ['{"type":"text-delta","id":"text-1","delta":"Assam tea is malty."}'],
    }),
  },
  { additionalProperties: false, $id: 'UiEvent' },
)

export type UiChatRequest = Static<typeof UiChatRequestSchema>
export type UiMessage = Static<typeof UiMessageSchema>
