// The end of a job, completed or not, and its retry. Every change is compare-and-set.
import type { FileJobKind, FinishJobInput, JobRef } from '../../contracts/job.ts'
import type { JobResult, ReembedResult, StoredEvent } from '../../contracts/events.ts'
import { MuxiError, type ErrorBody } from '../../contracts/failures.ts'
import { jobEnded } from '../../contracts/telemetry.ts'
import { mergeNotices, type Notice, noticeText } from '../../contracts/notices.ts'
import { jobError, jobMedia, jobOptions, jobResult, reembedResult } from '../job-columns.ts'
import { parseColumn } from '../json-column.ts'
import { reopenStream, type Addition } from '../event-rows.ts'
import type { JobsTable, Tx } from '../schema.ts'
import type { JobText } from './job-batches.ts'
import { advance, progressOf, addToStream } from './job-progress.ts'
import { holdFile } from './files.ts'
import { nextGeneration, findJob, findRunning, lockJob, UNFINISHED } from './jobs.ts'
import { interruptEntries } from './log.ts'
import { findWholeSummary } from './summaries.ts'
import { settleLost, totalUsage } from './usage.ts'

/**
 * Completes the job: result, status and final event in one transaction.
 * @param read its pages, all of them parsed before
 * @returns undefined when it had ended already
 */
export async function completeJob(
  tx: Tx,
  ref: JobRef,
  read: JobText,
): Promise<{ result: JobResult; events: StoredEvent[] } | undefined> {
  await lockJob(tx, ref.job_id)
  const job = await findRunning(tx, ref)
  if (!job || job.kind === 'reembed') return undefined
  const counted = await tx
    .selectFrom('job_batches')
    .select((eb) => eb.fn.sum<number | null>('chunks').as('chunks'))
    .where('job_id', '=', job.id)
    .executeTakeFirstOrThrow()
  const summary = await findWholeSummary(tx, job.id)
  await settleLost(tx, job.id, 0)
  const usage = await totalUsage(tx, job.id)
  const media = mediaResult(job)
  const replaced = (await hasReplaced(tx, job)) ? [REPLACED] : []
  const notices = mergeNotices([
    ...replaced,
    ...(read.hasText ? [] : [noText({ ...job, kind: job.kind })]),
    ...(media.notices ?? []),
    ...read.notices,
  ])
  const result: JobResult = {
    document_id: job.document_id,
    pages: job.pages ?? 0,
    chunks: Number(counted.chunks ?? 0) + (summary?.chunks ?? 0),
    ...(summary && { summary: summary.text ?? '' }),
    ...((usage.input_tokens > 0 || usage.cost_usd !== undefined) && { usage }),
    ...media,
    ...(notices.length > 0 && { notices: notices.map((notice) => ({ ...notice, text: noticeText(notice) })) }),
  }
  await tx
    .updateTable('jobs')
    .set({
      status: 'completed',
      stage: 'done',
      done: result.pages,
      result: JSON.stringify(result),
      finished_at: new Date().toISOString(),
    })
    .where('id', '=', job.id)
    .execute()
  jobEnded.publish({ kind: job.kind, status: 'completed' })
  return {
    result,
    events: await addToStream(tx, job.id, { event: { type: 'completed', data: { id: job.id, result } } }),
  }
}

/** Ends a failed or cancelled job. @returns the events to publish; none when it had ended already */
export async function finishJob(tx: Tx, { job_id, run, status, failure }: FinishJobInput): Promise<StoredEvent[]> {
  const error: ErrorBody | undefined =
    status === 'failed' ? (failure ?? { code: 'internal_error', message: 'The job failed' }) : undefined
  const updated = await tx
    .updateTable('jobs')
    .set({ status, error: error ? JSON.stringify(error) : null, finished_at: new Date().toISOString() })
    .where('id', '=', job_id)
    .where('run', '=', run)
    .where('status', 'in', UNFINISHED)
    .returning('kind')
    .executeTakeFirst()
  if (!updated) return []
  jobEnded.publish({ kind: updated.kind, status })
  await settleLost(tx, job_id, 0)
  // A cancelled job leaves nothing in the index; parsed pages are kept for a retry.
  if (status === 'cancelled')
    for (const table of ['job_batches', 'job_summaries'] as const)
      await tx.updateTable(table).set({ chunks: null }).where('job_id', '=', job_id).execute()
  // Vectors of a cancelled job are removed; those of a failed one are kept for a retry.
  if (status === 'cancelled')
    await tx
      .updateTable('vector_sets')
      .set({ state: 'old' })
      .where('job_id', '=', job_id)
      .where('state', '=', 'building')
      .execute()
  await interruptEntries(tx, job_id)
  return addToStream(tx, job_id, { event: finalJobEvent(job_id, error) })
}

/** The event that ends the stream of a job that did not complete. */
function finalJobEvent(id: string, error: ErrorBody | undefined): Addition['event'] {
  return error ? { type: 'failed', data: { ...error, id } } : { type: 'cancelled', data: { id } }
}

/** The final event of a job whose event log is past its retention. */
export function endOfJob(job: JobsTable): Addition['event'] {
  if (job.status === 'completed') return { type: 'completed', data: { id: job.id, result: resultOf(job)! } }
  return finalJobEvent(job.id, parseColumn(jobError, job.error, job.id))
}

/** The result of a job, once it is completed. */
export function resultOf({ id, kind, result }: JobsTable): JobResult | ReembedResult | undefined {
  return kind === 'reembed' ? parseColumn(reembedResult, result, id) : parseColumn(jobResult, result, id)
}

/** Sets a failed or cancelled job back to queued, with the next run. @throws MuxiError `conflict`, also when its file is deleted */
export async function reviveJob(tx: Tx, id: string): Promise<{ job: JobsTable; events: StoredEvent[] }> {
  // Before the job: the lock order of the deletion of a file.
  const of = await findJob(tx, id)
  if (of && of.kind !== 'reembed' && !(await holdFile(tx, of.file_id)))
    throw new MuxiError('conflict', `Cannot retry job '${id}': its file is deleted`)
  await lockJob(tx, id)
  const before = await findJob(tx, id)
  // Nothing of a cancelled run may become visible: late writes of its workers belong to a generation that is never
  // published.
  const generation = before?.status === 'cancelled' ? await nextGeneration(tx, before.document_id) : before?.generation
  const job = await tx
    .updateTable('jobs')
    .set((eb) => ({
      status: 'queued',
      run: eb('run', '+', 1),
      ...(generation !== undefined && { generation }),
      stage: 'waiting',
      error: null,
      cancel_requested_at: null,
      finished_at: null,
    }))
    .where('id', '=', id)
    .where('status', 'in', ['failed', 'cancelled'])
    .returningAll()
    .executeTakeFirst()
  if (!job) throw new MuxiError('conflict', `Cannot retry job '${id}': it must have failed or been cancelled`)
  await reopenStream(tx, id, { type: 'progress', data: progressOf({ ...job, stage: 'retrying' }) })
  return { job, events: await advance(tx, job, 'waiting', '') }
}

const NO_TEXT = {
  document: 'No text was found in the document, nor in pictures of its pages',
  image: 'No text was found in the picture',
  audio: 'No speech was detected in the recording',
}

const REPLACED: Notice = {
  code: 'replaced',
  message: 'It took the place of the earlier document of its name',
  count: 1,
}

/** Whether the document had been read before, from other bytes. */
async function hasReplaced(tx: Tx, { id, document_id, sha256 }: JobsTable): Promise<boolean> {
  const before = await tx
    .selectFrom('jobs')
    .select('sha256')
    .where('document_id', '=', document_id)
    .where('id', '<', id)
    .where('status', '=', 'completed')
    .orderBy('id', 'desc')
    .executeTakeFirst()
  return before !== undefined && before.sha256 !== sha256
}

function noText({ id, kind, options }: Pick<JobsTable, 'id' | 'options'> & { kind: FileJobKind }): Notice {
  const isUnread = kind !== 'audio' && parseColumn(jobOptions, options, id).ocr === 'never'
  return isUnread
    ? { code: 'not_read', message: "No page has text; pictures of text are read with options.ocr 'auto'", count: 1 }
    : { code: 'no_text', message: NO_TEXT[kind], count: 1 }
}

/** The part of the result that is of a picture or recording. */
function mediaResult({ id, media }: JobsTable): Partial<JobResult> {
  return parseColumn(jobMedia, media, id)?.result ?? {}
}
