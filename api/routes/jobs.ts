// Jobs: start, list, read, follow, stop, retry, and read the extracted text.
import { Elysia } from 'elysia'
import { Type } from '@sinclair/typebox'
import { UserIdSchema } from '../../contracts/schemas/chat.ts'
import { JobEventSchema } from '../../contracts/schemas/events.ts'
import { textOf } from '../../contracts/schemas/fields.ts'
import { JobSchema, JobTextSchema } from '../../contracts/schemas/job-views.ts'
import { idempotencyHeaders } from '../../contracts/schemas/idempotency.ts'
import { JobIdSchema, JobKindSchema, JobRequestSchema, JobStatusSchema } from '../../contracts/schemas/jobs.ts'
import { DEFAULT_LIMIT, idPageFields, pageOf } from '../../contracts/schemas/lists.ts'
import { resumeHeaders } from '../../contracts/schemas/streams.ts'
import { listJobs } from '../../db/queries/jobs.ts'
import { authenticated, page } from '../plugin.ts'
import { Content, noBody, replies, streamOf } from '../replies.ts'
import { visibleUser } from '../services/access.ts'
import type { ApiContext } from '../services/context.ts'
import {
  cancelJob,
  createJob,
  followJob,
  getChangedJobOrThrow,
  getJobOrThrow,
  retryJob,
  textResponse,
  viewJob,
} from '../services/jobs.ts'
import { createReembed } from '../services/reembed.ts'
import { readLastEventId, sseResponse } from '../sse.ts'

const closed = { additionalProperties: false }
const FormatSchema = Type.Union([Type.Literal('md'), Type.Literal('txt'), Type.Literal('json')])

const extracted = new Content('What was extracted', {
  'text/markdown': textOf('# Tea\n\nTea is grown in Assam.'),
  'text/plain': textOf('Tea\n\nTea is grown in Assam.'),
  'application/json': JobTextSchema,
})

export function jobRoutes(context: ApiContext) {
  const params = Type.Object({ job_id: JobIdSchema })
  return new Elysia({ prefix: '/jobs', tags: ['jobs'] })
    .use(authenticated(context))
    .post(
      '',
      async ({ principal, body, headers, status }) => {
        const key = headers['idempotency-key']
        const job = await (body.kind === 'reembed'
          ? createReembed(context, principal, body, key)
          : createJob(context, principal, body, key))
        return status(202, viewJob(context, job))
      },
      {
        body: JobRequestSchema,
        headers: idempotencyHeaders('job'),
        ...replies({ 202: JobSchema }, 'not_found', 'conflict', 'unprocessable'),
        scope: 'chat',
        detail: { summary: 'Ingest an uploaded file, or embed everything again with another model' },
      },
    )
    .get(
      '',
      async ({ principal, query: { limit = DEFAULT_LIMIT, user_id, ...filter } }) => {
        const jobs = await listJobs(context.storage.db, {
          ...filter,
          user_id: visibleUser(principal, user_id),
          limit: limit + 1,
        })
        const { items, ...rest } = page(jobs, limit, ({ id }) => id)
        return { jobs: items.map((job) => viewJob(context, job)), ...rest }
      },
      {
        query: Type.Object(
          {
            ...idPageFields('job'),
            status: Type.Optional(JobStatusSchema),
            kind: Type.Optional(JobKindSchema),
            user_id: Type.Optional(UserIdSchema),
          },
          closed,
        ),
        ...replies({ 200: pageOf('jobs', JobSchema) }),
        scope: 'chat',
        detail: { summary: 'List jobs, newest first' },
      },
    )
    .get(
      '/:job_id',
      async ({ principal, params: { job_id } }) => viewJob(context, await getJobOrThrow(context, principal, job_id)),
      { params, ...replies({ 200: JobSchema }), scope: 'chat', detail: { summary: 'Read a job' } },
    )
    .get(
      '/:job_id/stream',
      async ({ principal, params: { job_id }, request }) => {
        const job = await getJobOrThrow(context, principal, job_id)
        const after = readLastEventId(request.headers.get('last-event-id'))
        return sseResponse(context, principal, request, (signal) => followJob(context.storage, job, after, signal))
      },
      {
        params,
        headers: resumeHeaders,
        ...replies({ 200: streamOf(JobEventSchema), 204: noBody('Nothing comes after that event') }),
        scope: 'chat',
        detail: { summary: 'Follow a job from its start, or after Last-Event-ID' },
      },
    )
    .get(
      '/:job_id/text',
      async ({ principal, params: { job_id }, query: { format = 'md' } }) =>
        textResponse(context, await getJobOrThrow(context, principal, job_id), format),
      {
        params,
        query: Type.Object({ format: Type.Optional(FormatSchema) }, closed),
        ...replies({ 200: extracted }, 'conflict'),
        scope: 'chat',
        detail: { summary: 'Read what was extracted' },
      },
    )
    .post(
      '/:job_id/cancel',
      async ({ principal, params: { job_id } }) => {
        await cancelJob(context, await getChangedJobOrThrow(context, principal, job_id))
        return viewJob(context, await getJobOrThrow(context, principal, job_id))
      },
      {
        params,
        ...replies({ 200: JobSchema }, 'conflict'),
        scope: 'chat',
        detail: { summary: 'Stop a job; nothing of it stays in the index' },
      },
    )
    .post(
      '/:job_id/retry',
      async ({ principal, params: { job_id }, status }) => {
        await retryJob(context, await getChangedJobOrThrow(context, principal, job_id))
        return status(202, viewJob(context, await getJobOrThrow(context, principal, job_id)))
      },
      {
        params,
        ...replies({ 202: JobSchema }, 'conflict'),
        scope: 'chat',
        detail: { summary: 'Go on from the stage that failed' },
      },
    )
}
