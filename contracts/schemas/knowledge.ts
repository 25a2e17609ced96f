// The knowledge of agents, and what they remember and know of users, as the API shows it.
import { Type } from '@sinclair/typebox'
import { AgentIdSchema } from './agent.ts'
import { SourceFields } from './agent-views.ts'
import { MessageIdSchema, UserIdSchema } from './chat.ts'
import { anything } from './events.ts'
import { CountSchema, oneOf, orNull, textOf, TimeSchema } from './fields.ts'
import { idSchema } from './ids.ts'
import { JobIdSchema } from './jobs.ts'
import { pageOf } from './lists.ts'

const closed = { additionalProperties: false }
const similarity = Type.Number({ minimum: 0, maximum: 1, examples: [0.83] })
const agent_id = AgentIdSchema
const user_id = UserIdSchema

const KnowledgeSourceSchema = Type.Object(
  { ...SourceFields, created_at: TimeSchema },
  { ...closed, $id: 'KnowledgeSource' },
)

export const KnowledgeSourcesSchema = Type.Object(
  { agent_id, ...pageOf('knowledge_sources', KnowledgeSourceSchema).properties },
  closed,
)

/** The same while its job goes on, with `queued`. */
export const addedSource = <S extends string>(status: S) =>
  Type.Object(
    { status: Type.Literal(status), agent_id, knowledge_source: KnowledgeSourceSchema, job_id: JobIdSchema },
    closed,
  )

export const RemovedSourceSchema = Type.Object(
  { status: Type.Literal('removed'), agent_id, knowledge_source: Type.Object({ id: AgentIdSchema }, closed) },
  closed,
)

export const KnowledgeResultsSchema = Type.Object(
  {
    agent_id,
    query: textOf('tea'),
    results: Type.Array(
      Type.Object(
        {
          document_id: textOf('doc_0199c0ffee7a7d3c8f21b7a0e4d95c16'),
          document: textOf('handbook.pdf'),
          page: CountSchema,
          heading: Type.Optional(textOf('Tea')),
          content: textOf('Tea is grown in Assam.'),
          similarity,
          knowledge_id: Type.Optional(textOf('handbook')),
        },
        closed,
      ),
      { description: 'Best first' },
    ),
  },
  closed,
)

export const MemorySchema = Type.Object(
  {
    id: idSchema('mem'),
    content: textOf('I like tea.'),
    role: oneOf(['user', 'assistant']),
    created_at: TimeSchema,
    message_id: MessageIdSchema,
  },
  { ...closed, $id: 'Memory' },
)

export const MemoryResultsSchema = Type.Object(
  {
    results: Type.Array(
      Type.Object(
        { content: textOf('I like tea.'), similarity, created_at: TimeSchema, message_id: MessageIdSchema },
        closed,
      ),
      { description: 'Best first' },
    ),
  },
  closed,
)

export const ClearedMemorySchema = Type.Object({ status: Type.Literal('cleared'), agent_id, user_id }, closed)

const KnowledgeOfUserSchema = Type.Record(Type.String(), Type.Unknown(), {
  description: 'Fields by name, nested as you like; merged key by key, lists and other values replaced',
  examples: [{ name: 'Anna', location: { city: 'Berlin' } }],
})

export const KnowledgeChangeSchema = Type.Object({ knowledge: KnowledgeOfUserSchema }, closed)

export const ContextMemorySchema = Type.Object(
  { user_id, knowledge: KnowledgeOfUserSchema, last_updated: orNull(TimeSchema) },
  { ...closed, $id: 'ContextMemory' },
)

export const ProvenanceSchema = Type.Object(
  {
    user_id,
    provenance: Type.Record(
      Type.String(),
      Type.Object(
        {
          at: TimeSchema,
          message_id: Type.Optional(MessageIdSchema),
          agent_id: Type.Optional(AgentIdSchema),
          source: oneOf(['message', 'api']),
        },
        closed,
      ),
      {
        description: 'By the dotted path of the field',
        examples: [{ 'location.city': { at: '2026-11-29T09:41:07.112Z', source: 'api' } }],
      },
    ),
  },
  closed,
)

const paths = Type.Array(textOf('location.city'))
export const AddedFieldsSchema = Type.Object({ status: Type.Literal('added'), user_id, fields_added: paths }, closed)
export const UpdatedFieldsSchema = Type.Object(
  { status: Type.Literal('updated'), user_id, fields_updated: paths },
  closed,
)
export const DeletedFieldsSchema = Type.Object(
  { status: Type.Literal('deleted'), user_id, fields_deleted: paths },
  closed,
)

export const ForgottenUserSchema = Type.Object(
  {
    status: Type.Literal('deleted'),
    user_id,
    counts: Type.Object(
      {
        conversations: CountSchema,
        messages: CountSchema,
        memories: CountSchema,
        files: CountSchema,
        jobs: CountSchema,
        keys: CountSchema,
        context_fields: CountSchema,
        workflows: CountSchema,
      },
      closed,
    ),
  },
  closed,
)

export const UserExportSchema = Type.Object(
  {
    user_id,
    exported_at: TimeSchema,
    context_memory: KnowledgeOfUserSchema,
    conversations: Type.Array(anything({ id: 'conv_0199c0ffee7a7d3c8f21b7a0e4d95c16', messages: [] })),
    memories: Type.Array(anything({ content: 'I like tea.' })),
    files: Type.Array(anything({ name: 'tea.txt' })),
    jobs: Type.Array(anything({ kind: 'document' })),
  },
  { additionalProperties: true },
)
