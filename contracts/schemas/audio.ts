// Requests to turn speech into text and text into speech.
import { type Static, Type } from '@sinclair/typebox'
import { UserIdSchema } from './chat.ts'
import { CountSchema, textOf } from './fields.ts'
import { JobIdSchema } from './jobs.ts'

/** Compatible with OpenAI's. */
export const SpeechRequestSchema = Type.Object(
  {
    input: Type.String({ minLength: 1, maxLength: 4_096, description: 'the text, of 1 to 4096 characters' }),
    voice: Type.Optional(
      Type.String({ pattern: '^[A-Za-z][A-Za-z0-9+_-]{0,63}$', description: "a voice's name, such as alloy" }),
    ),
    format: Type.Optional(
      Type.Union(
        (['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm'] as const).map((format) => Type.Literal(format)),
        { description: "'mp3', 'opus', 'aac', 'flac', 'wav' or 'pcm'" },
      ),
    ),
    speed: Type.Optional(Type.Number({ minimum: 0.25, maximum: 4, description: 'a number from 0.25 to 4' })),
    instructions: Type.Optional(Type.String({ maxLength: 4_096, description: 'How it is to sound' })),
  },
  { additionalProperties: false, examples: [{ input: 'Tea is ready.', voice: 'alloy', format: 'mp3' }] },
)
const sound = textOf('the bytes')
/** The sound by its media type, in the order of the formats. */
export const SPOKEN_TYPES = {
  'audio/mpeg': sound,
  'audio/ogg': sound,
  'audio/aac': sound,
  'audio/flac': sound,
  'audio/wav': sound,
  'audio/pcm': sound,
}

export type SpeechRequest = Static<typeof SpeechRequestSchema>

/** The fields of the form besides the file. */
export const TranscriptionFieldsSchema = Type.Object(
  {
    user_id: Type.Optional(Type.String()),
    language: Type.Optional(Type.String({ pattern: '^[a-z]{2}$', description: 'two letters, such as en' })),
    denoise: Type.Optional(
      Type.Union([Type.Literal('true'), Type.Literal('false')], { description: "'true' or 'false'" }),
    ),
    response_format: Type.Optional(
      Type.Union(
        (['json', 'text', 'verbose_json', 'srt', 'vtt'] as const).map((format) => Type.Literal(format)),
        { description: "'json', 'text', 'verbose_json', 'srt' or 'vtt'" },
      ),
    ),
  },
  { additionalProperties: false },
)

/** The whole form; only the OpenAPI document uses this schema, because forms are parsed as streams. */
export const TranscriptionFormSchema = Type.Object(
  {
    file: Type.String({ format: 'binary', description: 'a recording or a video', examples: ['the bytes'] }),
    ...TranscriptionFieldsSchema.properties,
    user_id: Type.Optional(UserIdSchema),
    model: Type.Optional(Type.String({ description: "Not used: OpenAI's clients send it" })),
  },
  { additionalProperties: false },
)

const time = (example: number) => Type.Number({ minimum: 0, examples: [example], description: 'In seconds' })

/** Compatible with OpenAI's, with the job. */
export const TranscriptionSchema = Type.Object(
  { text: textOf('Tea is grown in Assam.'), job_id: JobIdSchema },
  { additionalProperties: false },
)

export const VerboseTranscriptionSchema = Type.Object(
  {
    task: Type.Literal('transcribe'),
    language: Type.Optional(textOf('en')),
    duration: time(2.4),
    text: textOf('Tea is grown in Assam.'),
    segments: Type.Array(
      Type.Object(
        { id: CountSchema, start: time(0), end: time(2.4), text: textOf('Tea is grown in Assam.') },
        { additionalProperties: false },
      ),
    ),
    job_id: JobIdSchema,
  },
  { additionalProperties: false },
)
