// The bodies of POST /v1/embeddings and /v1/audio/*: the part of OpenAI's requests that is read; null is the same as left out.
import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { SpeechRequestSchema, TranscriptionFormSchema } from './audio.ts'

const open = { additionalProperties: true }
const optional = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))
const model = optional(Type.String({ maxLength: 256, description: "Not used: it is the server's choice" }))
const user = optional(Type.String({ description: 'The user that the request acts as' }))

/** Texts of one request, as at OpenAI. */
const MAX_TEXTS = 2_048

/** The description is the fault of anything else. */
const text = Type.String({
  minLength: 1,
  pattern: '[\\s\\S]',
  description: 'text that is not empty: tokens are not taken',
})

export const EmbeddingRequestSchema = Type.Object(
  {
    model,
    input: Type.Union([
      text,
      Type.Array(text, {
        minItems: 1,
        maxItems: MAX_TEXTS,
        description: 'a text, or a list of texts; tokens are not taken',
      }),
    ]),
    encoding_format: optional(Type.Union([Type.Literal('float'), Type.Literal('base64')])),
    dimensions: optional(Type.Integer({ minimum: 1, maximum: 100_000 })),
    user,
  },
  { ...open, examples: [{ model: 'any', input: ['The ferry leaves at nine.'] }] },
)
export type EmbeddingRequest = Static<typeof EmbeddingRequestSchema>

const { input, voice, format, speed, instructions } = SpeechRequestSchema.properties

export const OpenaiSpeechRequestSchema = Type.Object(
  {
    model,
    input,
    voice: optional(voice),
    response_format: optional(format),
    speed: optional(speed),
    instructions: optional(instructions),
  },
  { ...open, examples: [{ model: 'any', input: 'The ferry leaves at nine.', voice: 'alloy' }] },
)
export type OpenaiSpeechRequest = Static<typeof OpenaiSpeechRequestSchema>

const { file, response_format } = TranscriptionFormSchema.properties

/** Only the OpenAPI document uses this schema, because forms are parsed as streams. */
export const OpenaiTranscriptionFormSchema = Type.Object(
  {
    file,
    model: Type.Optional(Type.String({ description: "Not used: it is the server's choice" })),
    user: Type.Optional(Type.String({ description: 'The user that the request acts as' })),
    language: Type.Optional(Type.String({ description: 'a language tag, such as en or en-US' })),
    response_format,
    stream: Type.Optional(
      Type.String({ description: "'true': the transcript as events, where `response_format` is json or text" }),
    ),
  },
  { ...open, examples: [{ file: 'the bytes', model: 'whisper-1' }] },
)
