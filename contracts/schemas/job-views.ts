// Jobs as the API shows them, and the text that they extracted.
import { Type } from '@sinclair/typebox'
import { ErrorBodySchema } from './errors.ts'
import { anything, JobResultSchema, ProgressSchema } from './events.ts'
import { orNull, textOf, TimeSchema } from './fields.ts'
import { JobIdSchema, JobKindSchema, JobStatusSchema } from './jobs.ts'
import { WorkflowSchema } from './turns.ts'

const closed = { additionalProperties: false }
const orNone = (example: string) => orNull(textOf(example))

export const JobSchema = Type.Object(
  {
    id: JobIdSchema,
    kind: JobKindSchema,
    status: JobStatusSchema,
    file_id: orNone('file_0199c0ffee7a7d3c8f21b7a0e4d95c16'),
    name: textOf('tea.pdf'),
    agent_id: orNone('helper'),
    knowledge_id: orNone('handbook'),
    conversation_id: orNull(Type.String()),
    turn_id: orNull(Type.String()),
    progress: ProgressSchema,
    result: Type.Optional(JobResultSchema),
    metadata: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'Of a picture or recording' })),
    error: Type.Optional(ErrorBodySchema),
    workflow: WorkflowSchema,
    created_at: TimeSchema,
    started_at: orNull(TimeSchema),
    finished_at: orNull(TimeSchema),
  },
  { ...closed, $id: 'Job' },
)

/** Pages as JSON. */
export const JobTextSchema = Type.Object(
  {
    job_id: JobIdSchema,
    pages: Type.Array(
      Type.Object(
        {
          text: textOf('# Tea\n\nTea is grown in Assam.'),
          blocks: Type.Array(anything({ type: 'heading', text: 'Tea' })),
        },
        { additionalProperties: true },
      ),
    ),
  },
  closed,
)
