// Requests about files, ingestion jobs and an agent's knowledge.
import { type Static, Type } from '@sinclair/typebox'
import { AgentIdSchema, KnowledgeSchema } from './agent.ts'
import { UserIdSchema } from './chat.ts'
import { oneOf } from './fields.ts'
import { idSchema } from './ids.ts'

const closed = { additionalProperties: false }

export const FileIdSchema = idSchema('file')
export const JobIdSchema = idSchema('job')

/** A file in a JSON body, for clients that cannot send a form. */
export const InlineFileSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 255, description: 'what the file is called', examples: ['tea.txt'] }),
    data: Type.String({
      pattern: '^[A-Za-z0-9+/]*={0,2}$',
      description: 'the bytes in base64',
      examples: ['VGVhIGlzIGdyb3duIGluIEFzc2FtLg=='],
    }),
    user_id: Type.Optional(UserIdSchema),
  },
  closed,
)

/** The same as a form; only the OpenAPI document uses this schema, because forms are parsed as streams. */
export const FileFormSchema = Type.Object(
  {
    file: Type.String({ format: 'binary', description: 'the file', examples: ['Tea is grown in Assam.'] }),
    user_id: Type.Optional(UserIdSchema),
  },
  closed,
)

export const JobKindSchema = oneOf(['document', 'image', 'audio', 'reembed'])

/** `ocr` and `describe` apply to images, `denoise` and `language` to recordings. */
const JobOptionsSchema = Type.Object(
  {
    ocr: Type.Optional(
      Type.Union(
        (['auto', 'always', 'never'] as const).map((when) => Type.Literal(when)),
        { description: "'auto', 'always' or 'never'" },
      ),
    ),
    languages: Type.Optional(
      Type.Array(
        Type.String({
          pattern: '^[a-z]{3}(_[a-z]{3,4})?$',
          description: 'a language as Tesseract names it, such as eng or chi_sim',
        }),
        { maxItems: 5 },
      ),
    ),
    describe: Type.Optional(Type.Boolean({ description: 'Have the agent’s model describe the picture' })),
    summarize: Type.Optional(Type.Boolean({ description: 'Have the agent’s model summarize it' })),
    denoise: Type.Optional(Type.Boolean()),
    language: Type.Optional(Type.String({ pattern: '^[a-z]{2}$', description: 'two letters, such as en' })),
  },
  closed,
)
export type JobOptions = Static<typeof JobOptionsSchema>

/** `reembed` embeds everything again with the configured model, and takes nothing else; the others read a file. */
export const JobRequestSchema = Type.Object(
  {
    kind: JobKindSchema,
    file_id: Type.Optional(FileIdSchema),
    agent_id: Type.Optional(AgentIdSchema),
    knowledge_id: Type.Optional(AgentIdSchema),
    options: Type.Optional(JobOptionsSchema),
  },
  { ...closed, examples: [{ kind: 'document', file_id: 'file_0199c0ffee7a7d3c8f21b7a0e4d95c16' }] },
)
export type JobRequest = Static<typeof JobRequestSchema>

export const JobStatusSchema = oneOf(['queued', 'running', 'completed', 'failed', 'cancelled'])

const background = Type.Optional(Type.Boolean({ description: 'Answer at once; the job is followed later' }))

/** A source as in agent files, and whether to wait for it. */
export const KnowledgeRequestSchema = Type.Union(
  KnowledgeSchema.anyOf.map((source) => Type.Object({ ...source.properties, background }, closed)),
  {
    examples: [
      { id: 'handbook', description: 'The handbook', source_type: 'content', content: 'Tea is grown in Assam.' },
    ],
  },
)
export type KnowledgeRequest = Static<typeof KnowledgeSchema> & { background?: boolean }
