// What /v1 answers, in OpenAI's form: errors, models, chat completions whole and in chunks, embeddings, transcriptions.
import { Type } from '@sinclair/typebox'
import { type ErrorCode, STATUS_OF_CODE } from '../failures.ts'
import { jsonText } from './events.ts'

const closed = { additionalProperties: false }
const turn = 'turn_0199c0ffee7a7d3c8f21b7a0e4d95c16'
const SECONDS = 1_795_975_200
const nullable = <T extends ReturnType<typeof Type.String>>(schema: T) => Type.Union([schema, Type.Null()])

export const OpenaiErrorBodySchema = Type.Object(
  {
    message: Type.String({ description: 'What to do, for people' }),
    type: Type.String(),
    param: nullable(Type.String({ description: 'The wrong field' })),
    code: nullable(Type.String()),
    turn_id: Type.Optional(Type.String({ description: 'The turn that has failed, or goes on without the client' })),
  },
  closed,
)

const example = (code: ErrorCode) => ({
  error: { message: `Cannot do this: ${code.replaceAll('_', ' ')}`, type: 'invalid_request_error', param: null, code },
})
export const OPENAI_ERROR_EXAMPLES = Object.fromEntries(
  (Object.keys(STATUS_OF_CODE) as ErrorCode[]).map((code) => [code, example(code)]),
) as Record<ErrorCode, ReturnType<typeof example>>

export const OpenaiErrorSchema = Type.Object(
  { error: OpenaiErrorBodySchema },
  { ...closed, $id: 'OpenaiError', examples: [OPENAI_ERROR_EXAMPLES.not_found] },
)

const model = { id: 'helper', object: 'model', created: SECONDS, owned_by: 'muxi' } as const
export const ModelViewSchema = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal('model'),
    created: Type.Integer({ description: 'In seconds' }),
    owned_by: Type.Literal('muxi'),
  },
  { ...closed, $id: 'OpenaiModel', examples: [model] },
)

export const ModelListSchema = Type.Object(
  { object: Type.Literal('list'), data: Type.Array(ModelViewSchema) },
  { ...closed, $id: 'OpenaiModelList', examples: [{ object: 'list', data: [model] }] },
)

const UsageSchema = Type.Object(
  { prompt_tokens: Type.Integer(), completion_tokens: Type.Integer(), total_tokens: Type.Integer() },
  closed,
)
const usage = { prompt_tokens: 21, completion_tokens: 4, total_tokens: 25 }

const FinishReasonSchema = Type.Union(
  (['stop', 'length', 'tool_calls', 'content_filter'] as const).map((reason) => Type.Literal(reason)),
)
const CallSchema = Type.Object(
  {
    id: Type.String(),
    type: Type.Literal('function'),
    function: Type.Object({ name: Type.String(), arguments: Type.String() }, closed),
  },
  closed,
)

export const CompletionSchema = Type.Object(
  {
    id: Type.String({ description: "'chatcmpl-' and the id of the turn" }),
    object: Type.Literal('chat.completion'),
    created: Type.Integer({ description: 'In seconds' }),
    model: Type.String({ description: 'The agent that has answered' }),
    choices: Type.Array(
      Type.Object(
        {
          index: Type.Literal(0),
          message: Type.Object(
            {
              role: Type.Literal('assistant'),
              content: nullable(Type.String()),
              refusal: nullable(Type.String({ description: 'In place of the content, when the model refuses' })),
              tool_calls: Type.Optional(Type.Array(CallSchema)),
            },
            closed,
          ),
          logprobs: Type.Null(),
          finish_reason: FinishReasonSchema,
        },
        closed,
      ),
    ),
    usage: UsageSchema,
  },
  {
    ...closed,
    $id: 'OpenaiCompletion',
    examples: [
      {
        id: `chatcmpl-${turn}`,
        object: 'chat.completion',
        created: SECONDS,
        model: 'helper',
        choices: [
          {
            index: 0,
            message: { role: 'assistant', content: 'Hello to you.', refusal: null },
            logprobs: null,
            finish_reason: 'stop',
          },
        ],
        usage,
      },
    ],
  },
)

/** The data of each event, but the last, which is `[DONE]`; or an error. */
const CompletionChunkSchema = Type.Union(
  [
    Type.Object(
      {
        id: Type.String(),
        object: Type.Literal('chat.completion.chunk'),
        created: Type.Integer(),
        model: Type.String(),
        choices: Type.Array(
          Type.Object(
            {
              index: Type.Literal(0),
              delta: Type.Record(Type.String(), Type.Unknown()),
              logprobs: Type.Null(),
              finish_reason: Type.Union([FinishReasonSchema, Type.Null()]),
            },
            closed,
          ),
        ),
        usage: Type.Optional(Type.Union([UsageSchema, Type.Null()])),
      },
      closed,
    ),
    OpenaiErrorSchema,
  ],
  {
    $id: 'OpenaiCompletionChunk',
    examples: [
      {
        id: `chatcmpl-${turn}`,
        object: 'chat.completion.chunk',
        created: SECONDS,
        model: 'helper',
        choices: [{ index: 0, delta: { content: 'Hello' }, logprobs: null, finish_reason: null }],
      },
    ],
  },
)

/** One event of a streamed completion. */
export const CompletionEventSchema = Type.Object(
  {
    event: Type.Optional(Type.Literal('message', { description: 'as every event that does not name its type' })),
    data: Type.Union([jsonText(CompletionChunkSchema), Type.Literal('[DONE]')]),
  },
  { ...closed, $id: 'OpenaiCompletionEvent', examples: [{ data: '[DONE]' }] },
)

export const EmbeddingsSchema = Type.Object(
  {
    object: Type.Literal('list'),
    data: Type.Array(
      Type.Object(
        {
          object: Type.Literal('embedding'),
          index: Type.Integer(),
          embedding: Type.Union([
            Type.Array(Type.Number()),
            Type.String({ description: 'Floats of 4 bytes in base64' }),
          ]),
        },
        closed,
      ),
    ),
    model: Type.String({ description: 'The configured embedder' }),
    usage: Type.Object({ prompt_tokens: Type.Integer(), total_tokens: Type.Integer() }, closed),
  },
  {
    ...closed,
    $id: 'OpenaiEmbeddings',
    examples: [
      {
        object: 'list',
        data: [{ object: 'embedding', index: 0, embedding: [0.6, 0.8] }],
        model: 'hashing-384',
        usage: { prompt_tokens: 2, total_tokens: 2 },
      },
    ],
  },
)

const TranscriptEventSchema = Type.Union(
  [
    Type.Object({ type: Type.Literal('transcript.text.delta'), delta: Type.String() }, closed),
    Type.Object({ type: Type.Literal('transcript.text.done'), text: Type.String() }, closed),
  ],
  {
    $id: 'OpenaiTranscriptEvent',
    examples: [{ type: 'transcript.text.done', text: 'The ferry leaves at nine.' }],
  },
)

/** One event of a streamed transcript. */
export const TranscriptionEventSchema = Type.Object(
  {
    event: Type.Optional(Type.Literal('message', { description: 'as every event that does not name its type' })),
    data: jsonText(TranscriptEventSchema),
  },
  {
    ...closed,
    $id: 'OpenaiTranscriptionEvent',
    examples: [{ data: '{"type":"transcript.text.done","text":"The ferry leaves at nine."}' }],
  },
)

export const OpenaiTranscriptionSchema = Type.Object(
  { text: Type.String() },
  {
    additionalProperties: true,
    $id: 'OpenaiTranscription',
    examples: [{ text: 'The ferry leaves at nine.', job_id: 'job_0199c0ffee7a7d3c8f21b7a0e4d95c16' }],
  },
)
