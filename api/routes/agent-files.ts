// Agents as files: import and export.
import { Elysia } from 'elysia'
import { Type } from '@sinclair/typebox'
import { stringify } from 'yaml'
import { AgentIdSchema, AgentSchema } from '../../contracts/schemas/agent.ts'
import { AgentImportedSchema } from '../../contracts/schemas/agent-views.ts'
import { textOf } from '../../contracts/schemas/fields.ts'
import { AgentImportSchema } from '../../contracts/schemas/agent-import.ts'
import { getAgentOrThrow } from '../../db/queries/agents.ts'
import { authenticated } from '../plugin.ts'
import { Content, replies } from '../replies.ts'
import type { ApiContext } from '../services/context.ts'
import { importAgent } from '../services/import-agent.ts'
import { exportAgent } from '../services/read-agent.ts'

const download = new Content('The agent as a file', {
  'application/json': AgentSchema,
  'application/yaml': textOf(
    'id: tea\ndescription: Answers questions about tea\nsystem_message: You answer questions about tea.\n',
  ),
})

export function agentFileRoutes(context: ApiContext) {
  return new Elysia({ prefix: '/agents', tags: ['agents'] })
    .use(authenticated(context))
    .post(
      '/import',
      async ({ principal, body, status }) => {
        const { agent, sources, connected } = await importAgent(context, principal, body)
        const { id, description, created_at } = agent
        return status(201, {
          id,
          description,
          created_at,
          status: 'created',
          mcp_servers_connected: connected,
          ...(sources.length > 0 && { knowledge_sources: sources }),
        })
      },
      {
        body: AgentImportSchema,
        ...replies({ 201: AgentImportedSchema }, 'not_found', 'conflict', 'unprocessable'),
        scope: 'manage',
        detail: {
          summary: 'Make an agent of an exported one, or of a file of the server',
          description: 'In `config`, `$${` stands for `${`, as in a file; only secrets may name a variable.',
        },
      },
    )
    .get(
      '/:agent_id/export',
      async ({ params: { agent_id }, headers }) => {
        const exported = await exportAgent(context, await getAgentOrThrow(context.storage.db, agent_id))
        const isYaml = prefersYaml(headers['accept'])
        const text = isYaml ? stringify(exported, { lineWidth: 0 }) : JSON.stringify(exported, undefined, 2)
        return new Response(text, {
          headers: {
            'content-type': isYaml ? 'application/yaml; charset=utf-8' : 'application/json; charset=utf-8',
            'content-disposition': `attachment; filename="${agent_id}.${isYaml ? 'yaml' : 'json'}"`,
            vary: 'accept',
          },
        })
      },
      {
        params: Type.Object({ agent_id: AgentIdSchema }),
        ...replies({ 200: download }),
        scope: 'read',
        detail: {
          summary: 'An agent as a file, YAML or JSON by `Accept`; JSON when it names neither',
          description: 'Each secret is the name of a variable, such as `${CLERK_MODEL_API_KEY}`.',
        },
      },
    )
}

const YAML = /^(application|text)\/(vnd\.|x-)?yaml$/

/** Whether YAML is accepted with a higher weight than JSON; with the same weight, the first counts. */
export function prefersYaml(accept: string | undefined): boolean {
  const ranges = (accept ?? '').split(',').flatMap((each) => {
    const [type = '', ...parameters] = each.split(';').map((part) => part.trim().toLowerCase())
    const weight = Number(parameters.find((part) => part.startsWith('q='))?.slice(2) ?? 1)
    return YAML.test(type) || type === 'application/json' ? [{ isYaml: YAML.test(type), weight }] : []
  })
  return ranges.toSorted((a, b) => b.weight - a.weight)[0]?.isYaml ?? false
}
