// The MCP servers of an agent: list, add, read, remove.
import { Elysia } from 'elysia'
import { Type } from '@sinclair/typebox'
import { MuxiError, notFound } from '../../contracts/failures.ts'
import { AgentIdSchema } from '../../contracts/schemas/agent.ts'
import { McpServerSchema, type McpServer } from '../../contracts/schemas/mcp-server.ts'
import {
  AddedMcpServerSchema,
  McpServersSchema,
  McpServerViewSchema,
  RemovedMcpServerSchema,
} from '../../contracts/schemas/mcp-views.ts'
import { DEFAULT_LIMIT, pageFields } from '../../contracts/schemas/lists.ts'
import { NameSchema } from '../../contracts/schemas/fields.ts'
import { getAgentOrThrow } from '../../db/queries/agents.ts'
import { findServer, listServers } from '../../db/queries/mcp-servers.ts'
import { authenticated, page } from '../plugin.ts'
import { replies } from '../replies.ts'
import type { ApiContext } from '../services/context.ts'
import { addServer } from '../services/add-mcp-server.ts'
import { signInUrlOf, viewServer, viewServerBriefly } from '../services/mcp-server-views.ts'
import { removeServer } from '../services/mcp-servers.ts'

export function mcpServerRoutes(context: ApiContext) {
  const { db } = context.storage
  const params = Type.Object({ agent_id: AgentIdSchema })
  const both = Type.Object({ agent_id: AgentIdSchema, name: NameSchema })
  return new Elysia({ prefix: '/agents/:agent_id/mcp_servers', tags: ['mcp servers'] })
    .use(authenticated(context))
    .get(
      '',
      async ({ params: { agent_id }, query: { limit = DEFAULT_LIMIT, cursor } }) => {
        await getAgentOrThrow(db, agent_id)
        const rows = await listServers(db, agent_id, { limit: limit + 1, cursor })
        const { items, ...rest } = page(rows, limit, ({ name }) => name)
        return { agent_id, mcp_servers: items.map(viewServerBriefly), ...rest }
      },
      {
        params,
        query: Type.Object(pageFields(NameSchema), { additionalProperties: false }),
        ...replies({ 200: McpServersSchema }),
        scope: 'read',
        detail: { summary: "List an agent's MCP servers" },
      },
    )
    .post(
      '',
      async ({ principal, params: { agent_id }, body, status }) => {
        await getAgentOrThrow(db, agent_id)
        const row = await addServer(context, principal, agent_id, body as McpServer)
        const { name, type, connected } = viewServerBriefly(row)
        const server = { name, type, connected }
        if (connected) return status(201, { status: 'connected', agent_id, server })
        return status(201, { status: row.state, agent_id, server, ...(await signInUrlOf(context, principal, row)) })
      },
      {
        params,
        body: McpServerSchema,
        ...replies({ 201: AddedMcpServerSchema }, 'conflict', 'unprocessable', 'upstream_error'),
        scope: 'manage',
        detail: { summary: 'Add an MCP server, and wait until it is connected' },
      },
    )
    .get(
      '/:name',
      async ({ principal, params: { agent_id, name } }) => {
        await getAgentOrThrow(db, agent_id)
        return { agent_id, ...(await viewServer(context, principal, { agent_id, name })) }
      },
      {
        params: both,
        ...replies({ 200: McpServerViewSchema }),
        scope: 'read',
        detail: { summary: 'Look at an MCP server and its tools; an idle one is started' },
      },
    )
    .delete(
      '/:name',
      async ({ params: { agent_id, name } }) => {
        const agent = await getAgentOrThrow(db, agent_id)
        const server = await findServer(db, { agent_id, name })
        if (server?.origin === 'config' && agent.source === 'file')
          throw new MuxiError('conflict', `Cannot remove '${name}': it stands in the agent's own file '${agent.file}'`)
        if (!(await removeServer(context, { agent_id, name }))) throw notFound('MCP server', name)
        return { status: 'disconnected' as const, agent_id, server: { name } }
      },
      {
        params: both,
        ...replies({ 200: RemovedMcpServerSchema }, 'conflict'),
        scope: 'manage',
        detail: { summary: 'Remove an MCP server, and end its program' },
      },
    )
}
