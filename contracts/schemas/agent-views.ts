// Agents as the API shows them.
import { Type } from '@sinclair/typebox'
import { AgentIdSchema, OnBusySchema } from './agent.ts'
import { CountSchema, oneOf, textOf, TimeSchema } from './fields.ts'

const closed = { additionalProperties: false }
const created_at = TimeSchema
const description = textOf('Answers questions about tea')
const stats = { conversations: CountSchema, total_messages: CountSchema }
const ModelViewFields = {
  provider: textOf('openai', '`auto`: the first provider that has a key, when the agent names no model'),
  model: textOf('gpt-4.1-mini'),
}

/** An agent in lists. */
export const AgentBriefSchema = Type.Object(
  {
    id: AgentIdSchema,
    description,
    model: Type.Object(ModelViewFields, closed),
    created_at,
    stats: Type.Object(stats, closed),
  },
  { ...closed, $id: 'AgentBrief' },
)

/** A file or folder of a source that was not read. */
const UnreadSchema = Type.Array(Type.Object({ name: textOf('scan.pdf'), reason: textOf('It is encrypted') }, closed), {
  description: 'What was not read, and why',
})

export const SourceFields = {
  id: AgentIdSchema,
  description: textOf('The handbook'),
  document_count: CountSchema,
  unread: Type.Optional(UnreadSchema),
}

export const AgentViewSchema = Type.Object(
  {
    id: AgentIdSchema,
    description,
    model: Type.Object(
      { ...ModelViewFields, temperature: Type.Optional(Type.Number()), top_p: Type.Optional(Type.Number()) },
      closed,
    ),
    system_message: textOf('You answer questions about tea.'),
    memory: Type.Object(
      {
        buffer: CountSchema,
        buffer_multiplier: Type.Optional(CountSchema),
        long_term: Type.Boolean(),
        extract_user_info: Type.Optional(Type.Boolean()),
      },
      closed,
    ),
    on_busy: OnBusySchema,
    agent_tools: Type.Optional(Type.Array(AgentIdSchema)),
    handoffs: Type.Optional(Type.Array(AgentIdSchema)),
    created_at,
    updated_at: TimeSchema,
    stats: Type.Object({ ...stats, active_users: CountSchema }, closed),
    mcp_servers: Type.Array(
      Type.Object(
        {
          name: textOf('weather'),
          type: oneOf(['command', 'http']),
          connected: Type.Boolean(),
          state: textOf('connected'),
        },
        closed,
      ),
    ),
    knowledge_sources: Type.Array(Type.Object(SourceFields, closed)),
    source: oneOf(['file', 'api']),
    version: Type.Integer({ minimum: 1 }),
  },
  { ...closed, $id: 'Agent' },
)

export const AgentCreatedSchema = Type.Object(
  {
    id: AgentIdSchema,
    description,
    created_at,
    status: Type.Literal('created'),
    knowledge_sources: Type.Optional(
      Type.Array(Type.Object({ id: AgentIdSchema, job_id: Type.Optional(textOf('job_0199c0ffee7a7d3c')) }, closed), {
        description: 'With the job that reads each',
      }),
    ),
  },
  closed,
)

export const AgentUpdatedSchema = Type.Object(
  { id: AgentIdSchema, description, updated_at: TimeSchema, status: Type.Literal('updated') },
  closed,
)

export const AgentDeletedSchema = Type.Object({ id: AgentIdSchema, status: Type.Literal('deleted') }, closed)

export const AgentImportedSchema = Type.Object(
  {
    ...AgentCreatedSchema.properties,
    mcp_servers_connected: Type.Integer({ minimum: 0, description: 'Servers whose tools can be called' }),
  },
  closed,
)
