// Requests about files, ingestion jobs and an agent's knowledge.
import { type Static, Type } from '@sinclair/typebox'
import { AgentIdSchema, KnowledgeSchema } from './agent.ts'

const closed = { additionalProperties: false }

export const FileIdSchema = Type.String({
  pattern: '^file_[A-Za-z0-9]+$',
  description: "an id that begins with 'file_'",
})
export const JobIdSchema = Type.String({ pattern: '^job_[A-Za-z0-9]+$', description: "an id that begins with 'job_'" })

export const JobRequestSchema = Type.Object(
  {
    kind: Type.Literal('document', { description: "'document'" }),
    file_id: FileIdSchema,
    agent_id: Type.Optional(AgentIdSchema),
    knowledge_id: Type.Optional(AgentIdSchema),
    options: Type.Optional(Type.Object({}, closed)),
  },
  closed,
)
export type JobRequest = Static<typeof JobRequestSchema>

export const JobStatusSchema = Type.Union(
  (['queued', 'running', 'completed', 'failed', 'cancelled'] as const).map((status) => Type.Literal(status)),
)

const background = Type.Optional(Type.Boolean({ description: 'Answer at once; the job is followed later' }))

/** What an agent file says of a source, and whether to wait for it. */
export const KnowledgeRequestSchema = Type.Union(
  KnowledgeSchema.anyOf.map((source) => Type.Object({ ...source.properties, background }, closed)),
)
export type KnowledgeRequest = Static<typeof KnowledgeSchema> & { background?: boolean }
