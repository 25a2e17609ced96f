// Agents: list, read, create, change, delete.
import { Elysia } from 'elysia'
import { Type } from '@sinclair/typebox'
import { AgentIdSchema, AgentSchema } from '../../contracts/schemas/agent.ts'
import { AgentPatchSchema } from '../../contracts/schemas/agent-patch.ts'
import {
  AgentBriefSchema,
  AgentCreatedSchema,
  AgentDeletedSchema,
  AgentUpdatedSchema,
  AgentViewSchema,
} from '../../contracts/schemas/agent-views.ts'
import { DEFAULT_LIMIT, pageFields, pageOf } from '../../contracts/schemas/lists.ts'
import { getAgentOrThrow } from '../../db/queries/agents.ts'
import { authenticated } from '../plugin.ts'
import { Content, noBody, replies } from '../replies.ts'
import { AgentPages } from '../services/agent-pages.ts'
import { addAgent, viewAgent } from '../services/agents.ts'
import { changeAgent } from '../services/change-agent.ts'
import { deleteAgent } from '../services/delete-agent.ts'
import type { ApiContext } from '../services/context.ts'
import { matches } from '../static-file.ts'

const listed = new Content('A page of agents', { 'application/json': pageOf('agents', AgentBriefSchema) })
/** Kept by the client alone, and asked for with its ETag each time. */
const REVALIDATED = { 'cache-control': 'private, no-cache' }
const IF_NONE_MATCH = {
  name: 'if-none-match',
  in: 'header',
  required: false,
  description: 'The ETag of the page that the client has',
  schema: { type: 'string' as const },
}

export function agentRoutes(context: ApiContext) {
  const { db } = context.storage
  const pages = new AgentPages(context)
  return new Elysia({ prefix: '/agents', tags: ['agents'] })
    .use(authenticated(context))
    .get(
      '',
      async ({ query: { limit = DEFAULT_LIMIT, cursor }, request }) => {
        const { json, etag } = await pages.find(limit, cursor)
        const headers = { etag, ...REVALIDATED }
        return matches(request.headers.get('if-none-match'), etag)
          ? new Response(null, { status: 304, headers })
          : new Response(json, { headers: { 'content-type': 'application/json;charset=utf-8', ...headers } })
      },
      {
        query: Type.Object(pageFields(AgentIdSchema), { additionalProperties: false }),
        ...replies({ 200: listed, 304: noBody('The page with the ETag of `if-none-match` is still the newest') }),
        scope: 'read',
        detail: { summary: 'List agents', parameters: [IF_NONE_MATCH] },
      },
    )
    .get('/:agent_id', async ({ params: { agent_id } }) => viewAgent(context, await getAgentOrThrow(db, agent_id)), {
      params: Type.Object({ agent_id: AgentIdSchema }),
      ...replies({ 200: AgentViewSchema }),
      scope: 'read',
      detail: { summary: 'Read an agent' },
    })
    .post(
      '',
      async ({ principal, body, status }) => {
        const { agent, sources } = await addAgent(context, principal, body)
        return status(201, {
          id: agent.id,
          description: agent.description,
          created_at: agent.created_at,
          status: 'created',
          ...(sources.length > 0 && { knowledge_sources: sources }),
        })
      },
      {
        body: AgentSchema,
        ...replies({ 201: AgentCreatedSchema }, 'not_found', 'conflict', 'unprocessable'),
        scope: 'manage',
        detail: { summary: 'Make an agent; what it is to know is read by jobs in the background' },
      },
    )
    .patch(
      '/:agent_id',
      async ({ principal, params: { agent_id }, body }) => {
        const { id, description, updated_at } = await changeAgent(context, principal, agent_id, body)
        return { id, description, updated_at, status: 'updated' as const }
      },
      {
        params: Type.Object({ agent_id: AgentIdSchema }),
        body: AgentPatchSchema,
        ...replies({ 200: AgentUpdatedSchema }, 'conflict', 'unprocessable'),
        scope: 'manage',
        detail: {
          summary: 'Change an agent by a merge patch (RFC 7386)',
          description:
            'Objects are merged, null removes an optional part, lists are replaced as a whole. A turn keeps the version that it began with.',
        },
      },
    )
    .delete(
      '/:agent_id',
      async ({ params: { agent_id } }) => {
        await deleteAgent(context, agent_id)
        return { id: agent_id, status: 'deleted' as const }
      },
      {
        params: Type.Object({ agent_id: AgentIdSchema }),
        ...replies({ 200: AgentDeletedSchema }, 'conflict'),
        scope: 'manage',
        detail: {
          summary: 'Delete an agent with its knowledge and memories',
          description: 'Its turns are cancelled; conversations and the log stay readable.',
        },
      },
    )
}
