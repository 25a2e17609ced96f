// What /v1 answers, in OpenAI's form.
import { type Static, Type } from '@sinclair/typebox'
import { CountSchema, oneOf, orNull, textOf } from './fields.ts'

const open = { additionalProperties: true }
const closed = { additionalProperties: false }
const created = Type.Integer({ minimum: 0, examples: [1_795_945_267], description: 'In seconds' })

export const OpenaiErrorSchema = Type.Object(
  {
    error: Type.Object(
      {
        message: textOf("Cannot find model 'helper'"),
        type: textOf('invalid_request_error'),
        param: orNull(textOf('model')),
        code: orNull(textOf('model_not_found')),
        turn_id: Type.Optional(Type.String({ description: 'The turn that has failed, or goes on without the client' })),
      },
      closed,
    ),
  },
  { ...closed, $id: 'OpenaiError' },
)

export const ModelSchema = Type.Object(
  { id: textOf('helper'), object: Type.Literal('model'), created, owned_by: Type.Literal('muxi') },
  { ...closed, $id: 'OpenaiModel' },
)

export const ModelsSchema = Type.Object({ object: Type.Literal('list'), data: Type.Array(ModelSchema) }, closed)

const UsageSchema = Type.Object(
  { prompt_tokens: CountSchema, completion_tokens: CountSchema, total_tokens: CountSchema },
  open,
)
const finish_reason = oneOf(['stop', 'length', 'tool_calls', 'content_filter'])

const CompletionSchema = Type.Object(
  {
    id: textOf('chatcmpl-turn_0199c0ffee7a7d3c8f21b7a0e4d95c16'),
    object: Type.Literal('chat.completion'),
    created,
    model: textOf('helper'),
    choices: Type.Array(
      Type.Object(
        {
          index: CountSchema,
          message: Type.Object(
            { role: Type.Literal('assistant'), content: orNull(textOf('Assam tea is malty.')) },
            open,
          ),
          logprobs: Type.Null(),
          finish_reason,
        },
        open,
      ),
    ),
    usage: UsageSchema,
  },
  { ...open, $id: 'ChatCompletion' },
)

export type ChatCompletion = Static<typeof CompletionSchema>

const ChunkSchema = Type.Union(
  [
    Type.Object(
      {
        id: textOf('chatcmpl-turn_0199c0ffee7a7d3c8f21b7a0e4d95c16'),
        object: Type.Literal('chat.completion.chunk'),
        created,
        model: textOf('helper'),
        choices: Type.Array(
          Type.Object(
            {
              index: CountSchema,
              delta: Type.Object({ content: Type.Optional(textOf('Assam')) }, open),
              finish_reason: orNull(Type.String()),
            },
            open,
          ),
        ),
        usage: Type.Optional(orNull(UsageSchema)),
      },
      open,
    ),
    OpenaiErrorSchema,
  ],
  { $id: 'ChatCompletionChunk' },
)

/** `data` is a chunk, and `[DONE]` at the end. */
const ChunkEventSchema = Type.Object(
  {
    data: Type.String({ description: 'JSON of a `ChatCompletionChunk`, or `[DONE]`', examples: ['[DONE]'] }),
  },
  closed,
)

export const completionTypes = { 'application/json': CompletionSchema, 'text/event-stream': ChunkEventSchema }
/** Only the OpenAPI document uses it: chunks travel as text. */
export const chunkSchema = ChunkSchema

export const EmbeddingsSchema = Type.Object(
  {
    object: Type.Literal('list'),
    data: Type.Array(
      Type.Object(
        {
          object: Type.Literal('embedding'),
          index: CountSchema,
          embedding: Type.Union([Type.Array(Type.Number()), Type.String({ description: 'Of `base64`' })], {
            examples: [[0.12, -0.4]],
          }),
        },
        closed,
      ),
    ),
    model: textOf('text-embedding-3-small'),
    usage: Type.Object({ prompt_tokens: CountSchema, total_tokens: CountSchema }, closed),
  },
  closed,
)
