// MCP servers as the API shows them.
import { Type } from '@sinclair/typebox'
import { AgentIdSchema } from './agent.ts'
import { CountSchema, NameSchema, oneOf, orNull, textOf, TimeSchema } from './fields.ts'
import { pageOf } from './lists.ts'
import { ApprovalSchema, ApprovalsSchema } from './mcp-server.ts'

const closed = { additionalProperties: false }
const STATES = ['connected', 'waiting', 'idle', 'connecting', 'reconnecting', 'needs_sign_in'] as const
const name = NameSchema
const type = oneOf(['http', 'command'])
const agent_id = AgentIdSchema
const sign_in_url = Type.Optional(
  Type.String({ description: 'Where an operator signs in; a secret: it authorizes the sign-in' }),
)
const seconds = orNull(Type.Number({ minimum: 0 }))

const statsFields = {
  connection_age_s: seconds,
  idle_time_s: seconds,
  active_requests: CountSchema,
  pid: Type.Optional(CountSchema),
}

const briefFields = {
  name,
  type,
  url: Type.Optional(textOf('https://weather.example.org/mcp')),
  command: Type.Optional(Type.String()),
  connected: Type.Boolean(),
  state: oneOf(STATES),
}

const BriefSchema = Type.Object(
  { ...briefFields, stats: Type.Object(statsFields, closed) },
  { ...closed, $id: 'McpServerBrief' },
)

export const McpServersSchema = Type.Object({ agent_id, ...pageOf('mcp_servers', BriefSchema).properties }, closed)

export const AddedMcpServerSchema = Type.Object(
  {
    status: oneOf(STATES),
    agent_id,
    server: Type.Object({ name, type, connected: Type.Boolean() }, closed),
    sign_in_url,
  },
  closed,
)

const ToolSchema = Type.Object(
  {
    name: textOf('forecast'),
    offered_as: orNull(textOf('forecast', 'Its name for models; null: it is not offered')),
    description: orNull(textOf('The weather of tomorrow')),
    parameters: Type.Unknown({
      description: 'JSON Schema',
      examples: [{ type: 'object', properties: { city: { type: 'string' } } }],
    }),
    annotations: Type.Unknown({ examples: [{ readOnlyHint: true }] }),
    drifted: Type.Boolean({ description: 'It has changed since the server was configured' }),
  },
  closed,
)

export const McpServerViewSchema = Type.Object(
  {
    agent_id,
    ...briefFields,
    sign_in_url,
    approval: Type.Union([ApprovalSchema, ApprovalsSchema]),
    trust_annotations: Type.Boolean(),
    stats: Type.Object(
      {
        ...statsFields,
        session_id: orNull(Type.String()),
        current_time: TimeSchema,
        connect_time: orNull(TimeSchema),
        last_activity: orNull(TimeSchema),
        reconnects: CountSchema,
        last_error: orNull(Type.String()),
        stderr: orNull(Type.String()),
      },
      closed,
    ),
    warnings: Type.Array(textOf('2 of its 140 tools are not offered')),
    available_tools: Type.Array(ToolSchema),
  },
  { ...closed, $id: 'McpServer' },
)

export const RemovedMcpServerSchema = Type.Object(
  { status: Type.Literal('disconnected'), agent_id, server: Type.Object({ name }, closed) },
  closed,
)
