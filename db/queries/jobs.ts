// The life of an ingestion job in rows: inserted, claimed, its page batches parsed and indexed, finished. Every change is compare-and-set.
import type { FinishJobInput, JobKind, JobRef, JobStage } from '../../contracts/engine.ts'
import type { JobProgress, JobResult, StoredEvent } from '../../contracts/events.ts'
import { MuxiError, type ErrorBody } from '../../contracts/failures.ts'
import { newId } from '../../contracts/ids.ts'
import { settleUsage, totalUsage } from './usage.ts'
import { addEvents, reopenStream, type Addition } from '../event-rows.ts'
import type { Db, FilesTable, JobBatchesTable, JobsTable, JobSummariesTable, Tx } from '../schema.ts'
import { countRead } from './ocr.ts'

/** How many pages are parsed in one go. */
const BATCH_PAGES = 50
const UNFINISHED = ['queued', 'running'] as const

export interface NewJob {
  /** A document, when left out. */
  kind?: JobKind | undefined
  file: Pick<FilesTable, 'id' | 'user_id' | 'name' | 'sha256'>
  key_id: string | null
  agent_id?: string | undefined
  knowledge_id?: string | undefined
  conversation_id?: string | undefined
  turn_id?: string | undefined
  /** Of the document whose content this replaces. */
  document_id?: string | undefined
  options?: Record<string, unknown> | undefined
}

/** Inserts a queued job. */
export async function insertJob(tx: Tx, job: NewJob): Promise<JobsTable> {
  const { file } = job
  const row: JobsTable = {
    id: newId('job'),
    kind: job.kind ?? 'document',
    status: 'queued',
    user_id: file.user_id,
    key_id: job.key_id,
    file_id: file.id,
    name: file.name,
    sha256: file.sha256,
    agent_id: job.agent_id ?? null,
    knowledge_id: job.knowledge_id ?? null,
    conversation_id: job.conversation_id ?? null,
    turn_id: job.turn_id ?? null,
    document_id: job.document_id ?? newId('doc'),
    generation: job.document_id === undefined ? 1 : await nextGeneration(tx, job.document_id),
    collection: null,
    options: JSON.stringify(job.options ?? {}),
    media: null,
    run: 1,
    run_id: null,
    pages: null,
    stage: 'waiting',
    done: 0,
    total: 0,
    stage_started_at: null,
    cancel_requested_at: null,
    result: null,
    error: null,
    created_at: new Date().toISOString(),
    started_at: null,
    finished_at: null,
  }
  await tx.insertInto('jobs').values(row).execute()
  return row
}

/** Chunks of a higher generation take the place of those of a lower one. */
async function nextGeneration(tx: Tx, documentId: string): Promise<number> {
  const before = await tx
    .selectFrom('jobs')
    .select((eb) => eb.fn.max('generation').as('generation'))
    .where('document_id', '=', documentId)
    .executeTakeFirst()
  return Number(before?.generation ?? 0) + 1
}

export function findJob(db: Db | Tx, id: string): Promise<JobsTable | undefined> {
  return db.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirst()
}

/** Removes a job that the engine never took. */
export async function discardJob(db: Db, id: string): Promise<void> {
  await db.deleteFrom('jobs').where('id', '=', id).where('status', '=', 'queued').execute()
}

export interface JobFilter {
  status?: JobsTable['status'] | undefined
  kind?: JobsTable['kind'] | undefined
  user_id?: string | undefined
  limit: number
  cursor?: string | undefined
}

/** Newest first. */
export function listJobs(db: Db, filter: JobFilter): Promise<JobsTable[]> {
  let query = db.selectFrom('jobs').selectAll().orderBy('id', 'desc').limit(filter.limit)
  if (filter.status !== undefined) query = query.where('status', '=', filter.status)
  if (filter.kind !== undefined) query = query.where('kind', '=', filter.kind)
  if (filter.user_id !== undefined) query = query.where('user_id', '=', filter.user_id)
  if (filter.cursor !== undefined) query = query.where('id', '<', filter.cursor)
  return query.execute()
}

/** Jobs that are not over, made before a moment, for the sweeper; oldest first. */
export function listUnfinishedJobs(db: Db, createdBefore: string, limit: number, after = ''): Promise<JobsTable[]> {
  return db
    .selectFrom('jobs')
    .selectAll()
    .where('status', 'in', UNFINISHED)
    .where('created_at', '<', createdBefore)
    .where('id', '>', after)
    .orderBy('id')
    .limit(limit)
    .execute()
}

/** The run takes the job, unless it is over or a newer run has it. Safe to repeat. */
export async function claimJob(tx: Tx, { job_id, run }: JobRef, runId: string): Promise<JobsTable | undefined> {
  return tx
    .updateTable('jobs')
    .set((eb) => ({
      status: 'running',
      run_id: runId,
      started_at: eb.fn.coalesce('started_at', eb.val(new Date().toISOString())),
    }))
    .where('id', '=', job_id)
    .where('run', '=', run)
    .where('status', 'in', UNFINISHED)
    .returningAll()
    .executeTakeFirst()
}

/** The job, when this run still has it: what an overtaken or cancelled run does must change nothing. */
export function findRunning(db: Db | Tx, { job_id, run }: JobRef): Promise<JobsTable | undefined> {
  return db
    .selectFrom('jobs')
    .selectAll()
    .where('id', '=', job_id)
    .where('run', '=', run)
    .where('status', '=', 'running')
    .executeTakeFirst()
}

/** Divides a document into batches of pages, once. @param whole all its pages, when they are read already @returns how many there are */
export async function planBatches(tx: Tx, jobId: string, pages: number, whole?: object[]): Promise<number> {
  const count = Math.ceil(pages / BATCH_PAGES)
  await tx.updateTable('jobs').set({ pages }).where('id', '=', jobId).execute()
  for (let batch = 1; batch <= count; batch += 1) {
    const from_page = (batch - 1) * BATCH_PAGES + 1
    const to_page = Math.min(from_page + BATCH_PAGES - 1, pages)
    await tx
      .insertInto('job_batches')
      .values({
        job_id: jobId,
        batch,
        from_page,
        to_page,
        from_ms: null,
        to_ms: null,
        parses: whole ? 1 : 0,
        pages: whole ? JSON.stringify(whole.slice(from_page - 1, to_page)) : null,
        chunks: null,
      })
      .onConflict((oc) => oc.columns(['job_id', 'batch']).doNothing())
      .execute()
  }
  return count
}

/** Notes the pieces of a recording, each a page of its own, once. */
export async function planSegments(tx: Tx, jobId: string, spans: { from_ms: number; to_ms: number }[]): Promise<void> {
  await tx.updateTable('jobs').set({ pages: spans.length }).where('id', '=', jobId).execute()
  for (const [index, { from_ms, to_ms }] of spans.entries()) {
    const number = index + 1
    await tx
      .insertInto('job_batches')
      .values({
        job_id: jobId,
        batch: number,
        from_page: number,
        to_page: number,
        from_ms,
        to_ms,
        parses: 0,
        pages: null,
        chunks: null,
      })
      .onConflict((oc) => oc.columns(['job_id', 'batch']).doNothing())
      .execute()
  }
}

/** Notes what is known of a picture or recording, and what was made of it. */
export async function setMedia(db: Db | Tx, jobId: string, media: object): Promise<void> {
  await db
    .updateTable('jobs')
    .set({ media: JSON.stringify(media) })
    .where('id', '=', jobId)
    .execute()
}

/** Notes that a batch is about to be parsed. @returns undefined when it was parsed before */
export function startParse(tx: Tx, jobId: string, batch: number): Promise<JobBatchesTable | undefined> {
  return tx
    .updateTable('job_batches')
    .set((eb) => ({ parses: eb('parses', '+', 1) }))
    .where('job_id', '=', jobId)
    .where('batch', '=', batch)
    .where('pages', 'is', null)
    .returningAll()
    .executeTakeFirst()
}

/**
 * Makes whoever else changes the job wait until the transaction ends, so that what is read of it after this stays true.
 * Before rows of its batches are written: all transactions lock in this order.
 */
async function lockJob(tx: Tx, id: string): Promise<void> {
  await tx.selectFrom('jobs').select('id').where('id', '=', id).forUpdate().execute()
}

export async function storeParsed(tx: Tx, jobId: string, batch: number, pages: object[]): Promise<void> {
  await lockJob(tx, jobId)
  await tx
    .updateTable('job_batches')
    .set({ pages: JSON.stringify(pages) })
    .where('job_id', '=', jobId)
    .where('batch', '=', batch)
    .where('pages', 'is', null)
    .execute()
}

/** Notes that the chunks of a batch are in the index. @returns false when this run has lost the job: they are in nobody's index */
export async function storeIndexed(tx: Tx, ref: JobRef, batch: number, chunks: number): Promise<boolean> {
  await lockJob(tx, ref.job_id)
  if (!(await findRunning(tx, ref))) return false
  await tx
    .updateTable('job_batches')
    .set({ chunks })
    .where('job_id', '=', ref.job_id)
    .where('batch', '=', batch)
    .execute()
  return true
}

/** Whether what a run has written into the index can never be shown: the job was cancelled, begun anew or removed. */
export async function isForsaken(db: Db, { id, generation }: Pick<JobsTable, 'id' | 'generation'>): Promise<boolean> {
  const now = await db.selectFrom('jobs').select(['status', 'generation']).where('id', '=', id).executeTakeFirst()
  return !now || now.status === 'cancelled' || now.generation !== generation
}

/** As it was extracted: Markdown, and what is known of where it came from. */
export interface StoredPage {
  page: number
  text: string
  /** What the page is called in its document: `Slide 3`. */
  label?: string
}

export interface ParsedBatch {
  pages: StoredPage[] | undefined
  chunks: number | null
}

export async function findBatch(db: Db | Tx, jobId: string, batch: number): Promise<ParsedBatch | undefined> {
  const row = await db
    .selectFrom('job_batches')
    .select(['pages', 'chunks'])
    .where('job_id', '=', jobId)
    .where('batch', '=', batch)
    .executeTakeFirst()
  return row && { chunks: row.chunks, pages: row.pages === null ? undefined : JSON.parse(row.pages) }
}

/** Notes which collection the chunks of a job are in. */
export async function setCollection(db: Db, jobId: string, collection: string): Promise<void> {
  await db.updateTable('jobs').set({ collection }).where('id', '=', jobId).execute()
}

/** Counts what is done of a stage and tells it, once for each key. @returns the events to publish; none when the run has lost the job */
export async function advance(
  tx: Tx,
  job: Pick<JobsTable, 'id' | 'run'>,
  stage: JobStage,
  key: string,
): Promise<StoredEvent[]> {
  const stamp = new Date().toISOString()
  await lockJob(tx, job.id)
  const now = await tx
    .selectFrom('jobs')
    .select(['kind', 'stage', 'stage_started_at', 'pages'])
    .where('id', '=', job.id)
    .where('run', '=', job.run)
    .where('status', 'in', UNFINISHED)
    .executeTakeFirst()
  if (!now) return []
  const startedAt = now.stage === stage && now.stage_started_at !== null ? now.stage_started_at : stamp
  const total = stage === 'summarizing' ? (await countSummaries(tx, job.id)).total : (now.pages ?? 0)
  const done = await countDone(tx, job.id, stage, total)
  await tx
    .updateTable('jobs')
    .set({ stage, done, total, stage_started_at: startedAt })
    .where('id', '=', job.id)
    .execute()
  const data = progressOf({ kind: now.kind, stage, done, total, stage_started_at: startedAt })
  return add(tx, job.id, { event: { type: 'progress', data }, key: `${job.run}:${stage}:${key}` })
}

async function countDone(tx: Tx, jobId: string, stage: JobStage, total: number): Promise<number> {
  if (stage === 'summarizing') return (await countSummaries(tx, jobId)).done
  if (stage !== 'parsing' && stage !== 'transcribing' && stage !== 'indexing')
    return stage === 'publishing' || stage === 'done' ? total : 0
  const column = stage === 'indexing' ? 'chunks' : 'pages'
  const rows = await tx
    .selectFrom('job_batches')
    .select(['from_page', 'to_page'])
    .where('job_id', '=', jobId)
    .where(column, 'is not', null)
    .execute()
  const whole = rows.reduce((sum, { from_page, to_page }) => sum + to_page - from_page + 1, 0)
  return stage === 'parsing' ? whole + (await countRead(tx, jobId)) : whole
}

/** The summary of the whole; undefined while there is none. */
export async function findWholeSummary(db: Db | Tx, jobId: string): Promise<JobSummariesTable | undefined> {
  const last = await db
    .selectFrom('job_summaries')
    .selectAll()
    .where('job_id', '=', jobId)
    .orderBy('level', 'desc')
    .limit(1)
    .executeTakeFirst()
  return last?.text == null ? undefined : last
}

async function countSummaries(tx: Tx, jobId: string): Promise<{ done: number; total: number }> {
  const { done, total } = await tx
    .selectFrom('job_summaries')
    .select((eb) => [eb.fn.count('text').as('done'), eb.fn.countAll().as('total')])
    .where('job_id', '=', jobId)
    .executeTakeFirstOrThrow()
  return { done: Number(done), total: Number(total) }
}

const UNITS = { document: 'pages', image: 'pictures', audio: 'segments' } as const

/** How far a job is, and by its pace so far how much longer the stage takes. */
export function progressOf(
  job: Pick<JobsTable, 'kind' | 'stage' | 'done' | 'total' | 'stage_started_at'>,
): JobProgress {
  const { stage, done, total } = job
  const elapsed = job.stage_started_at === null ? 0 : Date.now() - Date.parse(job.stage_started_at)
  const eta =
    done > 0 && done < total && elapsed > 0 ? Math.ceil(((elapsed / done) * (total - done)) / 1_000) : undefined
  const unit = stage === 'summarizing' ? 'parts' : UNITS[job.kind]
  return { done, total, unit, stage, ...(eta !== undefined && { eta_s: eta }) }
}

/** The job is done: its result, its status and its final event together. @returns undefined when it was over already */
export async function completeJob(
  tx: Tx,
  ref: JobRef,
): Promise<{ result: JobResult; events: StoredEvent[] } | undefined> {
  await lockJob(tx, ref.job_id)
  const job = await findRunning(tx, ref)
  if (!job) return undefined
  const counted = await tx
    .selectFrom('job_batches')
    .select((eb) => eb.fn.sum<number | null>('chunks').as('chunks'))
    .where('job_id', '=', job.id)
    .executeTakeFirstOrThrow()
  const summary = await findWholeSummary(tx, job.id)
  await settleUsage(tx, job.id, '')
  const usage = await totalUsage(tx, job.id)
  const result: JobResult = {
    document_id: job.document_id,
    pages: job.pages ?? 0,
    chunks: Number(counted.chunks ?? 0) + (summary?.chunks ?? 0),
    ...(summary && { summary: summary.text ?? '' }),
    ...(usage.input_tokens > 0 && { usage }),
    ...(!(await hasText(tx, job.id)) && { notice: noticeOf(job) }),
    ...toldOfMedia(job),
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
  return { result, events: await add(tx, job.id, { event: { type: 'completed', data: { id: job.id, result } } }) }
}

/** The job failed or was cancelled. @returns the events to publish; none when it was over already */
export async function finishJob(tx: Tx, { job_id, run, status, failure }: FinishJobInput): Promise<StoredEvent[]> {
  const error: ErrorBody | undefined =
    status === 'failed' ? (failure ?? { code: 'internal_error', message: 'The job failed' }) : undefined
  const updated = await tx
    .updateTable('jobs')
    .set({ status, error: error ? JSON.stringify(error) : null, finished_at: new Date().toISOString() })
    .where('id', '=', job_id)
    .where('run', '=', run)
    .where('status', 'in', UNFINISHED)
    .executeTakeFirst()
  if (updated.numUpdatedRows === 0n) return []
  await settleUsage(tx, job_id, '')
  // A cancelled job leaves nothing in the index; what was parsed is kept for a retry.
  if (status === 'cancelled')
    for (const table of ['job_batches', 'job_summaries'] as const)
      await tx.updateTable(table).set({ chunks: null }).where('job_id', '=', job_id).execute()
  await tx
    .updateTable('log_entries')
    .set({ status: 'interrupted' })
    .where('turn_id', '=', job_id)
    .where('status', '=', 'running')
    .execute()
  return add(tx, job_id, { event: finalJobEvent(job_id, error) })
}

/** The event that ends the stream of a job that did not complete. */
function finalJobEvent(id: string, error: ErrorBody | undefined): Addition['event'] {
  return error ? { type: 'failed', data: { ...error, id } } : { type: 'cancelled', data: { id } }
}

/** The one event that tells how a job ended whose log is past its retention. */
export function endOfJob(job: JobsTable): Addition['event'] {
  if (job.status === 'completed')
    return { type: 'completed', data: { id: job.id, result: JSON.parse(job.result ?? '{}') as JobResult } }
  return finalJobEvent(job.id, job.error === null ? undefined : (JSON.parse(job.error) as ErrorBody))
}

/** A job that failed or was cancelled becomes a queued one again, with the next run. @throws MuxiError `conflict` */
export async function reviveJob(tx: Tx, id: string): Promise<{ job: JobsTable; events: StoredEvent[] }> {
  await lockJob(tx, id)
  const before = await findJob(tx, id)
  // Of a cancelled run nothing may turn up: what a worker of it, late, still writes is of a generation that nobody will see.
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

/** The jobs that are part of a turn, in the order of its attachments. */
export function listJobsOfTurn(db: Db | Tx, turnId: string): Promise<JobsTable[]> {
  return db.selectFrom('jobs').selectAll().where('turn_id', '=', turnId).orderBy('id').execute()
}

/** Removes the jobs of a conversation with what they have extracted. @returns their documents */
export async function deleteJobsOf(tx: Tx, conversationId: string): Promise<string[]> {
  const jobs = tx.selectFrom('jobs').select('id').where('conversation_id', '=', conversationId)
  for (const table of ['job_batches', 'ocr_pages', 'job_summaries'] as const)
    await tx.deleteFrom(table).where('job_id', 'in', jobs).execute()
  for (const table of ['event_segments', 'event_keys', 'event_fences', 'event_streams'] as const) {
    await tx.deleteFrom(table).where('stream_id', 'in', jobs).execute()
  }
  const deleted = await tx
    .deleteFrom('jobs')
    .where('conversation_id', '=', conversationId)
    .returning('document_id')
    .execute()
  return deleted.map(({ document_id }) => document_id)
}

/** The names of documents, for whoever shows a passage of them. */
export async function findDocumentNames(db: Db, documentIds: string[]): Promise<Map<string, string>> {
  if (documentIds.length === 0) return new Map()
  const rows = await db
    .selectFrom('jobs')
    .select(['document_id', 'name'])
    .where('document_id', 'in', documentIds)
    .orderBy('id')
    .execute()
  return new Map(rows.map(({ document_id, name }) => [document_id, name]))
}

/** What a job has extracted, a batch at a time, in order. */
export async function* readText(db: Db | Tx, jobId: string): AsyncGenerator<StoredPage[]> {
  for (let batch = 1; ; batch += 1) {
    const found = await findBatch(db, jobId, batch)
    if (!found) return
    if (found.pages) yield found.pages
  }
}

const NO_TEXT = {
  document: 'No text was found in the document, nor in pictures of its pages',
  image: 'No text was found in the picture',
  audio: 'Nobody is heard to speak in the recording',
}

function noticeOf({ kind, options }: JobsTable): string {
  const unread = kind === 'document' && (JSON.parse(options) as { ocr?: string }).ocr === 'never'
  return unread ? "No page has text; pictures of text are read with options.ocr 'auto'" : NO_TEXT[kind]
}

/** What the result of a job tells of its picture or recording. */
function toldOfMedia({ media }: JobsTable): Partial<JobResult> {
  return media === null ? {} : (JSON.parse(media) as { result: Partial<JobResult> }).result
}

async function hasText(db: Db | Tx, jobId: string): Promise<boolean> {
  for await (const pages of readText(db, jobId)) {
    if (pages.some(({ text }) => text.trim() !== '')) return true
  }
  return false
}

async function add(tx: Tx, stream: string, addition: Addition): Promise<StoredEvent[]> {
  const added = await addEvents(tx, stream, undefined, [addition])
  return 'events' in added ? added.events : []
}
