// Ingestion jobs for users: start, follow, stop, retry, and read the extracted text.
import { createHash } from 'node:crypto'
import { toJobInput } from '../../contracts/job.ts'
import { workflowId } from '../../contracts/temporal.ts'
import type { StoredEvent } from '../../contracts/events.ts'
import { MuxiError, wrongField } from '../../contracts/failures.ts'
import { canonicalJson } from '../../contracts/json.ts'
import type { JobRequest } from '../../contracts/schemas/jobs.ts'
import { jobError, jobMedia } from '../../db/job-columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import { readHead } from '../../db/event-rows.ts'
import { getAgentOrThrow } from '../../db/queries/agents.ts'
import { holdFileOrThrow } from '../../db/queries/files.ts'
import { discardJob, findJob, insertJob } from '../../db/queries/jobs.ts'
import { endOfJob, finishJob, resultOf, reviveJob } from '../../db/queries/job-ends.ts'
import { progressOf } from '../../db/queries/job-progress.ts'
import { readText } from '../../db/queries/job-batches.ts'
import { findIdempotent, findMade, insertIdempotent, type IdempotentRequest } from '../../db/queries/idempotency.ts'
import { joinSource, listLatestJobs } from '../../db/queries/knowledge.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { checkOnly } from '../../db/queries/reembed-jobs.ts'
import { findTwin, insertTwin } from '../../db/queries/reuse.ts'
import { requestStop } from '../../db/queries/stop-requests.ts'
import type { JobsTable, Tx } from '../../db/schema.ts'
import type { Storage } from '../../db/storage.ts'
import { blocksOf, plainText } from '../../media/document/blocks.ts'
import { authorize, ownedOrThrow } from './access.ts'
import type { ApiContext } from './context.ts'
import { startJob, stopJob } from './engine.ts'
import { getFileOrThrow } from './files.ts'
import { waitForEnd } from './turns.ts'

/** Longest wait of a stop request for the job's end, in milliseconds. */
const STOP_WAIT_MS = 5_000

type Beginner = Pick<ApiContext, 'storage' | 'client'>

/** Starts a job for an uploaded file. Agent knowledge requires the scope to manage it. @throws MuxiError */
export async function createJob(
  context: Beginner & Pick<ApiContext, 'index'>,
  principal: Principal,
  request: JobRequest,
  idempotency_key?: string,
): Promise<JobsTable> {
  const { db } = context.storage
  const { agent_id, options, kind, file_id } = request
  if (file_id === undefined) throw wrongField('begin the job', 'file_id', 'given')
  if (request.knowledge_id !== undefined && agent_id === undefined)
    throw wrongField('begin the job', 'agent_id', "given with 'knowledge_id'")
  if (agent_id !== undefined) authorize(principal, 'manage')
  const known = idempotency_key === undefined ? undefined : jobKey(principal, idempotency_key, request)
  // Before its file is looked for: that may have been deleted since.
  if (known && (await findMade(db, known)) !== undefined) {
    const before = await db.transaction().execute((tx) => findRepeated(tx, known))
    if (before) return started(before)
  }
  const file = await getFileOrThrow(context, principal, file_id)
  const knowledge_id = agent_id === undefined ? undefined : (request.knowledge_id ?? file.id)
  const { collection } = await context.index.serving()
  const job = await db.transaction().execute(async (tx) => {
    const before = known && (await findRepeated(tx, known))
    if (before) return before
    await holdFileOrThrow(tx, file.id)
    const wanted = { kind, file, key_id: principal.key_id, agent_id, options }
    const twin = await findTwin(tx, { ...wanted, knowledge_id: request.knowledge_id }, collection)
    if (twin) {
      const made = await insertTwin(tx, wanted, twin)
      if (known) await insertIdempotent(tx, { ...known, result_id: made.job.id })
      return made.job
    }
    if (agent_id !== undefined && knowledge_id !== undefined) {
      const { file: described } = await getAgentOrThrow(tx, agent_id)
      await joinSource(tx, { agent_id, id: knowledge_id, description: file.name, file: described })
    }
    // The same name in the same source is the same document: its content is replaced.
    const older =
      agent_id === undefined || request.knowledge_id === undefined
        ? undefined
        : (await listLatestJobs(tx, agent_id, request.knowledge_id)).find(
            ({ name, user_id }) => name === file.name && user_id === file.user_id,
          )
    const job = await insertJob(tx, { ...wanted, knowledge_id, document_id: older?.document_id })
    if (known) await insertIdempotent(tx, { ...known, result_id: job.id })
    return job
  })
  return started(job)

  async function started(job: JobsTable): Promise<JobsTable> {
    await startCreated(context, job, idempotency_key)
    return job
  }
}

function jobKey({ key_id }: Principal, idempotency_key: string, request: JobRequest): IdempotentRequest {
  const body_hash = createHash('sha256').update(canonicalJson(request)).digest('hex')
  return { key_id, route: 'jobs', idempotency_key, body_hash }
}

/** What the key has begun. @throws MuxiError `conflict` when the key came with another body */
async function findRepeated(tx: Tx, known: IdempotentRequest): Promise<JobsTable | undefined> {
  const made = await findIdempotent(tx, known)
  return made === undefined ? undefined : findJob(tx, made)
}

/** Starts the workflow of a job that a request has made, or has found by its Idempotency-Key. @throws MuxiError unavailable */
export async function startCreated(
  context: Beginner,
  job: JobsTable,
  idempotency_key: string | undefined,
): Promise<void> {
  if (job.status !== 'queued') return
  // With an Idempotency-Key the row stays, and the sweeper starts it: another request with the key may have returned its id.
  if (idempotency_key === undefined) await beginJob(context, job)
  else await startRun(context, job, 'first')
}

/** Starts the workflow of a new job. If that fails, the job is deleted. @throws MuxiError unavailable */
export async function beginJob(context: Beginner, job: JobsTable): Promise<void> {
  try {
    await startRun(context, job, 'first')
  } catch (error) {
    await discardJob(context.storage.db, job.id)
    throw error
  }
}

/** Starts the workflows of jobs that must run eventually: the sweeper starts those that fail now. */
export async function beginJobs(context: ApiContext, jobs: readonly JobsTable[]): Promise<void> {
  for (const job of jobs) {
    try {
      await startRun(context, job, 'first')
    } catch (error) {
      context.log.warn({ err: error, job_id: job.id }, 'the engine takes no jobs; they are handed over later')
      return
    }
  }
}

function startRun(context: Beginner, job: JobsTable, how: 'first' | 'again'): Promise<void> {
  const { box } = context.storage
  return startJob(context, toJobInput(job, box.pseudonym(job.user_id)), job.kind, how)
}

/** @throws MuxiError not_found, also for another user's job */
export async function getJobOrThrow(
  { storage: { db } }: ApiContext,
  principal: Principal,
  id: string,
): Promise<JobsTable> {
  return ownedOrThrow(principal, await findJob(db, id), 'job', id)
}

/** The same of a job that is to be stopped or retried. @throws MuxiError forbidden */
export async function getChangedJobOrThrow(context: ApiContext, principal: Principal, id: string): Promise<JobsTable> {
  const job = await getJobOrThrow(context, principal, id)
  if (job.kind === 'reembed') authorize(principal, 'manage')
  return job
}

export function viewJob({ namespace, temporalUiUrl }: Pick<ApiContext, 'namespace' | 'temporalUiUrl'>, job: JobsTable) {
  const result = resultOf(job)
  const id = workflowId.job((result && 'reused_job_id' in result && result.reused_job_id) || job.id)
  const path = `/namespaces/${namespace}/workflows/${encodeURIComponent(id)}${job.run_id ? `/${job.run_id}` : ''}`
  return {
    id: job.id,
    kind: job.kind,
    status: job.status,
    file_id: job.file_id || null,
    name: job.name,
    agent_id: job.agent_id,
    knowledge_id: job.knowledge_id,
    conversation_id: job.conversation_id,
    turn_id: job.turn_id,
    progress: progressOf(job),
    ...(result && { result }),
    ...(job.media !== null && { metadata: parseColumn(jobMedia, job.media, job.id).metadata }),
    ...(job.error !== null && { error: parseColumn(jobError, job.error, job.id) }),
    workflow: { id, run_id: job.run_id, url: temporalUiUrl === undefined ? null : `${temporalUiUrl}${path}` },
    created_at: job.created_at,
    started_at: job.started_at,
    finished_at: job.finished_at,
  }
}

/**
 * The events of a job after a number, until the final one or until the signal aborts.
 * A number beyond the head of a running job gets the whole stream; of a stream past its retention only the end is sent.
 * @returns undefined when there is nothing after the number and never will be
 */
export async function followJob(
  { db, events }: Storage,
  job: JobsTable,
  after: number,
  signal: AbortSignal,
): Promise<AsyncGenerator<StoredEvent[]> | undefined> {
  const { head, ended } = await readHead(db, job.id)
  if (head === 0 && job.finished_at !== null) return once([{ ...endOfJob(job), id: after + 1 }])
  if (ended && after >= head) return undefined
  return events.follow(job.id, after > head ? 0 : after, signal)
}

async function* once(events: StoredEvent[]): AsyncGenerator<StoredEvent[]> {
  yield events
}

/** Resolves when the job has ended, or the signal aborts. @returns whether it has */
export function waitForJob(context: ApiContext, id: string, signal: AbortSignal): Promise<boolean> {
  return waitForEnd(context, id, signal)
}

/** Stops a job; resolves when it has ended, or after a few seconds. @throws MuxiError conflict, unavailable */
export async function cancelJob(context: ApiContext, job: JobsTable): Promise<void> {
  const { storage } = context
  await requestStop(storage.db, 'job', job.id)
  storage.stops.stop(job.id)
  if (!(await stopJob(context, job.id))) {
    const added = await storage.db
      .transaction()
      .execute((tx) => finishJob(tx, { job_id: job.id, run: job.run, status: 'cancelled' }))
    storage.events.publish(job.id, added)
  }
  await waitForJob(context, job.id, AbortSignal.timeout(STOP_WAIT_MS))
}

/** Resumes from the stage that failed: parsed and indexed batches are reused. @throws MuxiError conflict, unavailable */
export async function retryJob(context: ApiContext, job: JobsTable): Promise<void> {
  const { storage } = context
  const revived = await storage.db.transaction().execute(async (tx) => {
    if (job.kind === 'reembed') await checkOnly(tx)
    return reviveJob(tx, job.id)
  })
  storage.events.publish(job.id, revived.events)
  await startRun(context, revived.job, 'again')
}

const encoder = new TextEncoder()

/**
 * The extracted text of a completed job, one page at a time: `json` in blocks with their positions, `txt` without Markdown syntax.
 * @throws MuxiError conflict of any other job: what it has parsed so far is not its text
 */
export function textResponse({ storage: { db } }: ApiContext, job: JobsTable, format: 'md' | 'txt' | 'json'): Response {
  const { id, status } = job
  if (status !== 'completed')
    throw new MuxiError('conflict', `Cannot read the text of job '${id}': it must be completed, got '${status}'`, {
      details: { status },
    })
  const pieces = format === 'json' ? toJson(job, readText(db, job.id)) : toText(readText(db, job.id), format)
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await pieces.next()
      if (done) controller.close()
      else controller.enqueue(encoder.encode(value))
    },
    async cancel() {
      await pieces.return(undefined)
    },
  })
  const type = { md: 'text/markdown', txt: 'text/plain', json: 'application/json' }[format]
  return new Response(stream, {
    headers: {
      'content-type': `${type}; charset=utf-8`,
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
    },
  })
}

type Batches = ReturnType<typeof readText>

/** One page at a time: at most one batch of the document is in memory. */
async function* toJson(job: JobsTable, batches: Batches): AsyncGenerator<string> {
  yield `{"job_id":${JSON.stringify(job.id)},"pages":[`
  let between = ''
  for await (const pages of batches) {
    for (const page of pages) {
      yield between + JSON.stringify({ ...page, blocks: blocksOf(page) })
      between = ','
    }
  }
  yield ']}'
}

/** Pages are separated by a form feed in plain text, and by a rule in Markdown; labels are above their page. */
async function* toText(batches: Batches, format: 'md' | 'txt'): AsyncGenerator<string> {
  let between = ''
  for await (const pages of batches) {
    for (const { text, label } of pages) {
      if (label !== undefined) yield `${between}${format === 'md' ? `**${label}**` : label}\n\n`
      yield (label === undefined ? between : '') + (format === 'md' ? text : plainText(text))
      between = format === 'md' ? '\n\n---\n\n' : '\f'
    }
  }
}
