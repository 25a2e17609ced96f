// /v1: what OpenAI's clients call, as framings of the same services.
import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { idempotencyHeaders } from '../../contracts/schemas/idempotency.ts'
import { ChatCompletionRequestSchema } from '../../contracts/schemas/openai-chat.ts'
import { authenticated } from '../plugin.ts'
import type { ApiContext } from '../services/context.ts'
import { complete } from './completions.ts'
import { viewModel, viewModels } from './models.ts'

export function openaiRoutes(context: ApiContext) {
  const { db } = context.storage
  return new Elysia({ prefix: '/v1', tags: ['openai'] })
    .use(authenticated(context))
    .get('/models', () => viewModels(db), {
      scope: ['chat', 'read'],
      detail: { summary: 'List the agents as models' },
    })
    .get('/models/:model', ({ params }) => viewModel(db, params.model), {
      params: Type.Object({ model: Type.String() }),
      scope: ['chat', 'read'],
      detail: { summary: 'Show an agent as a model' },
    })
    .post('/chat/completions', (sent) => complete(context, sent), {
      body: ChatCompletionRequestSchema,
      headers: idempotencyHeaders('turn'),
      scope: 'chat',
      detail: { summary: "Answer a conversation in the form of OpenAI's chat completions, also streamed" },
    })
}
