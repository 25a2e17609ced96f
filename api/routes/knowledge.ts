// The knowledge of an agent: list, add, remove and search sources.
import { Elysia } from 'elysia'
import { Type } from '@sinclair/typebox'
import { MuxiError } from '../../contracts/failures.ts'
import { AgentIdSchema } from '../../contracts/schemas/agent.ts'
import { KnowledgeRequestSchema, type KnowledgeRequest } from '../../contracts/schemas/jobs.ts'
import {
  addedSource,
  KnowledgeResultsSchema,
  KnowledgeSourcesSchema,
  RemovedSourceSchema,
} from '../../contracts/schemas/knowledge.ts'
import { DEFAULT_LIMIT, pageFields } from '../../contracts/schemas/lists.ts'
import { getAgentOrThrow } from '../../db/queries/agents.ts'
import { findSource, listSources } from '../../db/queries/knowledge.ts'
import { authenticated, page } from '../plugin.ts'
import { replies } from '../replies.ts'
import type { ApiContext } from '../services/context.ts'
import { addSource, removeSource, searchKnowledge } from '../services/knowledge.ts'

const SearchSchema = Type.Object(
  {
    query: Type.String({ minLength: 1, maxLength: 4_000, examples: ['tea'] }),
    top_k: Type.Optional(Type.Integer({ minimum: 1, maximum: 50, default: 3 })),
    threshold: Type.Optional(Type.Number({ minimum: 0, maximum: 1, default: 0 })),
  },
  { additionalProperties: false },
)

export function knowledgeRoutes(context: ApiContext) {
  const { db } = context.storage
  const params = Type.Object({ agent_id: AgentIdSchema })
  return new Elysia({ prefix: '/agents/:agent_id/knowledge', tags: ['knowledge'] })
    .use(authenticated(context))
    .get(
      '',
      async ({ params: { agent_id }, query: { limit = DEFAULT_LIMIT, cursor } }) => {
        await getAgentOrThrow(db, agent_id)
        const sources = await listSources(db, agent_id, { limit: limit + 1, cursor })
        const { items, ...rest } = page(sources, limit, ({ id }) => id)
        return { agent_id, knowledge_sources: items, ...rest }
      },
      {
        params,
        query: Type.Object(pageFields(AgentIdSchema), { additionalProperties: false }),
        ...replies({ 200: KnowledgeSourcesSchema }),
        scope: 'read',
        detail: { summary: "List an agent's sources of knowledge" },
      },
    )
    .post(
      '',
      async ({ principal, params: { agent_id }, body, status }) => {
        await getAgentOrThrow(db, agent_id)
        const { source, job } = await addSource(context, principal, agent_id, body as KnowledgeRequest)
        const added = { agent_id, knowledge_source: source, job_id: job.id }
        return job.status === 'completed'
          ? status(201, { status: 'added', ...added })
          : status(202, { status: 'queued', ...added })
      },
      {
        params,
        body: KnowledgeRequestSchema,
        ...replies({ 201: addedSource('added'), 202: addedSource('queued') }, 'conflict', 'unprocessable'),
        scope: 'manage',
        detail: { summary: 'Add a source of knowledge, and wait until it can be searched' },
      },
    )
    .delete(
      '/:knowledge_id',
      async ({ params: { agent_id, knowledge_id } }) => {
        const { file } = await getAgentOrThrow(db, agent_id)
        if ((await findSource(db, agent_id, knowledge_id))?.origin === 'config') {
          throw new MuxiError(
            'conflict',
            `Cannot remove '${knowledge_id}': it stands in the agent's own file '${file}'`,
          )
        }
        await removeSource(context, agent_id, knowledge_id)
        return { status: 'removed' as const, agent_id, knowledge_source: { id: knowledge_id } }
      },
      {
        params: Type.Object({ agent_id: AgentIdSchema, knowledge_id: AgentIdSchema }),
        ...replies({ 200: RemovedSourceSchema }, 'conflict'),
        scope: 'manage',
        detail: { summary: 'Remove a source of knowledge' },
      },
    )
    .get(
      '/search',
      async ({ principal, params: { agent_id }, query: { query, top_k = 3, threshold = 0 } }) => {
        await getAgentOrThrow(db, agent_id)
        const found = await searchKnowledge(context, principal, agent_id, { query, top_k, threshold })
        return { agent_id, query, results: found }
      },
      {
        params,
        query: SearchSchema,
        ...replies({ 200: KnowledgeResultsSchema }, 'budget_exceeded', 'upstream_error'),
        scope: 'read',
        detail: { summary: "Search an agent's knowledge" },
      },
    )
}
