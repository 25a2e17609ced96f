// The request that begins a turn, the same over REST, SSE and WebSocket.
import { type Static, Type } from '@sinclair/typebox'
import { OnBusySchema } from './agent.ts'
import { idSchema } from './ids.ts'

const closed = { additionalProperties: false }

/** A person or program that talks to agents: any visible text without spaces at its ends. */
export const UserIdSchema = Type.String({
  pattern: '^(?!\\.{1,2}$)[^\\s\\x00-\\x1f/]([^\\x00-\\x1f/]{0,126}[^\\s\\x00-\\x1f/])?$',
  description:
    "a name of 1 to 128 characters, not '.' or '..', without slashes, control characters or spaces at its ends",
  examples: ['anna'],
})

export const ConversationIdSchema = idSchema('conv')
export const TurnIdSchema = idSchema('turn')
export const MessageIdSchema = idSchema('msg')

const attachmentFields = {
  type: Type.String({ minLength: 1, maxLength: 128, description: "what it is, such as 'image/png'" }),
  name: Type.String({ minLength: 1, maxLength: 255 }),
}

export const AttachmentSchema = Type.Union([
  Type.Object({ ...attachmentFields, data: Type.String({ minLength: 1, description: 'the bytes in base64' }) }, closed),
  Type.Object(
    {
      ...attachmentFields,
      file_id: idSchema('file'),
    },
    closed,
  ),
])

export const chatFields = {
  content: Type.String({ description: 'What is said; may be empty when something is attached' }),
  user_id: Type.Optional(UserIdSchema),
  conversation_id: Type.Optional(ConversationIdSchema),
  attachments: Type.Optional(Type.Array(AttachmentSchema, { maxItems: 100 })),
  on_busy: Type.Optional(OnBusySchema),
  background: Type.Optional(Type.Boolean({ description: 'Answer at once; the reply is read later' })),
  response_schema: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), { description: 'JSON Schema that the answer must follow' }),
  ),
  replaces: Type.Optional(
    Type.String({
      ...idSchema('msg'),
      description: 'An earlier message of the user in the conversation, which goes on from before it',
    }),
  ),
}

export const ChatRequestSchema = Type.Object(chatFields, {
  ...closed,
  $id: 'ChatRequest',
  examples: [{ content: 'Which tea grows in Assam?', user_id: 'anna' }],
})
export type ChatRequest = Static<typeof ChatRequestSchema>
export type AttachmentInput = Static<typeof AttachmentSchema>
