// Ingestion jobs in rows: inserted, found, listed, claimed by a run.
import type { SelectQueryBuilder } from 'kysely'
import type { JobKind, JobRef } from '../../contracts/job.ts'
import { newId } from '../../contracts/ids.ts'
import type { DB, Db, FilesTable, JobsTable, Tx } from '../schema.ts'

/** The statuses of an unfinished job. */
export const UNFINISHED = ['queued', 'running'] as const

export interface NewJob {
  /** Default: a document. */
  kind?: JobKind | undefined
  file: Pick<FilesTable, 'id' | 'user_id' | 'name' | 'sha256'>
  key_id: string | null
  agent_id?: string | undefined
  knowledge_id?: string | undefined
  conversation_id?: string | undefined
  turn_id?: string | undefined
  /** The document whose content this replaces. */
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

/** Chunks of a higher generation replace those of a lower one. */
export async function nextGeneration(tx: Tx, documentId: string): Promise<number> {
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

export function findJobs(db: Db, ids: readonly string[]): Promise<JobsTable[]> {
  return db.selectFrom('jobs').selectAll().where('id', 'in', ids).execute()
}

/** Deletes a job whose workflow was never started. */
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

/** Unfinished jobs created before a given time, for the sweeper; oldest first. */
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

/** Claims the job for a run, unless it has ended or a newer run owns it. Idempotent. */
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

/** The job, if this run still owns it: a superseded or cancelled run must change nothing. */
export function findRunning(db: Db | Tx, { job_id, run }: JobRef): Promise<JobsTable | undefined> {
  return db
    .selectFrom('jobs')
    .selectAll()
    .where('id', '=', job_id)
    .where('run', '=', run)
    .where('status', '=', 'running')
    .executeTakeFirst()
}

/** Stores the metadata of an image or recording, and its derived files. */
export async function setMedia(db: Db | Tx, jobId: string, media: object): Promise<void> {
  await db
    .updateTable('jobs')
    .set({ media: JSON.stringify(media) })
    .where('id', '=', jobId)
    .execute()
}

/**
 * Locks the job until the transaction ends, so that a read after this stays valid.
 * Taken before rows of its batches are written: the lock order of all transactions.
 */
export async function lockJob(tx: Tx, id: string): Promise<void> {
  await tx.selectFrom('jobs').select('id').where('id', '=', id).forUpdate().execute()
}

/** Whether a run's chunks can never be published: the job was cancelled, retried or deleted. */
export async function isForsaken(db: Db, { id, generation }: Pick<JobsTable, 'id' | 'generation'>): Promise<boolean> {
  const now = await db.selectFrom('jobs').select(['status', 'generation']).where('id', '=', id).executeTakeFirst()
  return !now || now.status === 'cancelled' || now.generation !== generation
}

/** Records the collection of a job's chunks. */
export async function setCollection(db: Db, jobId: string, collection: string): Promise<void> {
  await db.updateTable('jobs').set({ collection }).where('id', '=', jobId).execute()
}

/** The jobs that are part of a turn, in the order of its attachments. */
export function listJobsOfTurn(db: Db | Tx, turnId: string): Promise<JobsTable[]> {
  return db.selectFrom('jobs').selectAll().where('turn_id', '=', turnId).orderBy('id').execute()
}

/** The jobs of the attachments of messages, in their order, with the message of each. */
export function listJobsOfMessages(
  db: Db | Tx,
  messageIds: readonly string[],
): Promise<(JobsTable & { user_message_id: string })[]> {
  return db
    .selectFrom('jobs')
    .innerJoin('messages', 'messages.turn_id', 'jobs.turn_id')
    .selectAll('jobs')
    .select('messages.id as user_message_id')
    .where('messages.id', 'in', messageIds)
    .orderBy('jobs.id')
    .execute()
}

/** Deletes the jobs of a conversation with their extracted text. @returns their documents */
export function deleteJobsOf(tx: Tx, conversationId: string): Promise<string[]> {
  return deleteJobs(tx, tx.selectFrom('jobs').select('id').where('conversation_id', '=', conversationId))
}

/** Deletes jobs with their extracted text, events and log. @param jobs their ids @returns their documents */
export async function deleteJobs(tx: Tx, jobs: SelectQueryBuilder<DB, 'jobs', { id: string }>): Promise<string[]> {
  for (const table of ['job_batches', 'ocr_pages', 'job_summaries'] as const)
    await tx.deleteFrom(table).where('job_id', 'in', jobs).execute()
  for (const table of ['event_segments', 'event_keys', 'event_fences', 'event_streams', 'log_entries'] as const) {
    await tx.deleteFrom(table).where('stream_id', 'in', jobs).execute()
  }
  const deleted = await tx.deleteFrom('jobs').where('id', 'in', jobs).returning('document_id').execute()
  return deleted.map(({ document_id }) => document_id)
}

/** The names of documents, for citations of passages. */
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
