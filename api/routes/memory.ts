// What an agent remembers of a user: list, search, clear.
import { Elysia } from 'elysia'
import { Type } from '@sinclair/typebox'
import { AgentIdSchema } from '../../contracts/schemas/agent.ts'
import { UserIdSchema } from '../../contracts/schemas/chat.ts'
import { ClearedMemorySchema, MemoryResultsSchema, MemorySchema } from '../../contracts/schemas/knowledge.ts'
import { DEFAULT_LIMIT, idPageFields, pageOf } from '../../contracts/schemas/lists.ts'
import { getAgentOrThrow } from '../../db/queries/agents.ts'
import { listMemories } from '../../db/queries/memories.ts'
import { authenticated, page } from '../plugin.ts'
import { replies } from '../replies.ts'
import { actingUser } from '../services/access.ts'
import type { ApiContext } from '../services/context.ts'
import { clearMemories, findMemories } from '../services/memory.ts'

const closed = { additionalProperties: false }
const user_id = Type.Optional(UserIdSchema)
const DEFAULT_RESULTS = 5

export function memoryRoutes(context: ApiContext) {
  const { db } = context.storage
  const params = Type.Object({ agent_id: AgentIdSchema })
  return new Elysia({ prefix: '/agents/:agent_id/memory', tags: ['memory'] })
    .use(authenticated(context))
    .get(
      '',
      async ({ principal, params: { agent_id }, query: { limit = DEFAULT_LIMIT, cursor, user_id: asked } }) => {
        const owner = { agent_id, user_id: actingUser(principal, asked) }
        await getAgentOrThrow(db, agent_id)
        const { items, ...rest } = page(await listMemories(db, owner, limit + 1, cursor), limit, ({ id }) => id)
        return { memories: items, ...rest }
      },
      {
        params,
        query: Type.Object({ ...idPageFields('mem'), user_id }, closed),
        ...replies({ 200: pageOf('memories', MemorySchema) }),
        scope: 'chat',
        detail: { summary: 'List what an agent remembers of a user, newest first' },
      },
    )
    .get(
      '/search',
      async ({ principal, params: { agent_id }, query: { query, limit = DEFAULT_RESULTS, user_id: asked } }) => {
        const owner = { agent_id, user_id: actingUser(principal, asked) }
        await getAgentOrThrow(db, agent_id)
        return { results: await findMemories(context, principal, owner, query, limit) }
      },
      {
        params,
        query: Type.Object(
          {
            query: Type.String({ minLength: 1, maxLength: 4_000, examples: ['tea'] }),
            user_id,
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 50, default: DEFAULT_RESULTS })),
          },
          closed,
        ),
        ...replies({ 200: MemoryResultsSchema }, 'budget_exceeded', 'upstream_error'),
        scope: 'chat',
        detail: { summary: 'Search what an agent remembers of a user, best first' },
      },
    )
    .delete(
      '',
      async ({ principal, params: { agent_id }, query: { user_id: asked } }) => {
        const owner = { agent_id, user_id: actingUser(principal, asked) }
        await getAgentOrThrow(db, agent_id)
        await clearMemories(context, owner)
        return { status: 'cleared' as const, ...owner }
      },
      {
        params,
        query: Type.Object({ user_id }, closed),
        ...replies({ 200: ClearedMemorySchema }),
        scope: 'chat',
        detail: { summary: 'Make an agent forget what a user said to it; the conversations stay' },
      },
    )
}
