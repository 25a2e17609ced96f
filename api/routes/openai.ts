// /v1: what OpenAI's clients call, as framings of the same services.
import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { idempotencyHeaders } from '../../contracts/schemas/idempotency.ts'
import { SPOKEN_TYPES } from '../../contracts/schemas/audio.ts'
import { ChatCompletionRequestSchema } from '../../contracts/schemas/openai-chat.ts'
import {
  EmbeddingRequestSchema,
  OpenaiSpeechRequestSchema,
  OpenaiTranscriptionFormSchema,
} from '../../contracts/schemas/openai-requests.ts'
import {
  CompletionEventSchema,
  CompletionSchema,
  EmbeddingsSchema,
  ModelListSchema,
  ModelViewSchema,
  OpenaiTranscriptionSchema,
  TranscriptionEventSchema,
} from '../../contracts/schemas/openai-replies.ts'
import { authenticated, bodyOf } from '../plugin.ts'
import { Content, replies } from '../replies.ts'
import { transcribe } from '../services/audio.ts'
import type { ApiContext } from '../services/context.ts'
import { complete } from '../openai/completions.ts'
import { embed } from '../openai/embeddings.ts'
import { viewModel, viewModels } from '../openai/models.ts'
import { speakOpenai } from '../openai/speech.ts'

// Handlers are `async`: of some others Elysia 1.4.30 leaves a rejection unhandled, such as one that reads `set` (November 2026).
export function openaiRoutes(context: ApiContext) {
  const { db } = context.storage
  const failing = ['budget_exceeded', 'upstream_error'] as const
  const either = new Content('The whole reply, or with `stream` its chunks, then `[DONE]`', {
    'application/json': CompletionSchema,
    'text/event-stream': CompletionEventSchema,
  })
  const transcript = new Content('The transcript, in the form of `response_format`, or with `stream` its events', {
    'application/json': OpenaiTranscriptionSchema,
    'text/plain': Type.String({ examples: ['The ferry leaves at nine.'] }),
    'text/event-stream': TranscriptionEventSchema,
  })
  const sound = new Content('The sound, in the format that was asked for', SPOKEN_TYPES)
  return new Elysia({ prefix: '/v1', tags: ['openai'] })
    .use(authenticated(context))
    .get('/models', async () => viewModels(db), {
      ...replies({ 200: ModelListSchema }),
      scope: ['chat', 'read'],
      detail: { summary: 'List the agents as models' },
    })
    .get('/models/:model', async ({ params }) => viewModel(db, params.model), {
      params: Type.Object({ model: Type.String() }),
      ...replies({ 200: ModelViewSchema }, 'not_found'),
      scope: ['chat', 'read'],
      detail: { summary: 'Show an agent as a model' },
    })
    .post('/chat/completions', async (sent) => complete(context, sent), {
      body: ChatCompletionRequestSchema,
      headers: idempotencyHeaders('turn'),
      ...replies({ 200: either }, 'not_found', 'conflict', 'unprocessable', ...failing),
      scope: 'chat',
      detail: { summary: "Answer a conversation in the form of OpenAI's chat completions, also streamed" },
    })
    .post(
      '/embeddings',
      async ({ principal, body, request, set }) =>
        embed(context, principal, body, String(set.headers['x-request-id']), request.signal),
      {
        body: EmbeddingRequestSchema,
        ...replies({ 200: EmbeddingsSchema }, ...failing),
        scope: 'chat',
        detail: { summary: 'Turn texts into vectors' },
      },
    )
    .post(
      '/audio/transcriptions',
      async ({ principal, request }) => transcribe(context, principal, request, { lenient: true }),
      {
        ...replies({ 200: transcript }, 'conflict', 'unprocessable', ...failing),
        scope: 'chat',
        detail: {
          summary: "Turn speech into text, in the form of OpenAI's transcriptions",
          requestBody: bodyOf({ 'multipart/form-data': OpenaiTranscriptionFormSchema }),
        },
      },
    )
    .post(
      '/audio/speech',
      async ({ principal, body, request, set }) =>
        speakOpenai(context, principal, body, String(set.headers['x-request-id']), request.signal),
      {
        body: OpenaiSpeechRequestSchema,
        ...replies({ 200: sound }, ...failing),
        scope: 'chat',
        detail: { summary: "Turn text into speech, in the form of OpenAI's speech" },
      },
    )
}
