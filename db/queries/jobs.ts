// Ingestion jobs in rows: inserted, found, listed, claimed by the run that works on them.
import type { JobKind, JobRef } from '../../contracts/engine.ts'
import { newId } from '../../contracts/ids.ts'
import type { Db, FilesTable, JobsTable, Tx } from '../schema.ts'

/** The statuses of a job that is not over. */
export const UNFINISHED = ['queued', 'running'] as const

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

/** Notes what is known of a picture or recording, and what was made of it. */
export async function setMedia(db: Db | Tx, jobId: string, media: object): Promise<void> {
  await db
    .updateTable('jobs')
    .set({ media: JSON.stringify(media) })
    .where('id', '=', jobId)
    .execute()
}

/**
 * Makes whoever else changes the job wait until the transaction ends, so that what is read of it after this stays true.
 * Before rows of its batches are written: all transactions lock in this order.
 */
export async function lockJob(tx: Tx, id: string): Promise<void> {
  await tx.selectFrom('jobs').select('id').where('id', '=', id).forUpdate().execute()
}

/** Whether what a run has written into the index can never be shown: the job was cancelled, begun anew or removed. */
export async function isForsaken(db: Db, { id, generation }: Pick<JobsTable, 'id' | 'generation'>): Promise<boolean> {
  const now = await db.selectFrom('jobs').select(['status', 'generation']).where('id', '=', id).executeTakeFirst()
  return !now || now.status === 'cancelled' || now.generation !== generation
}

/** Notes which collection the chunks of a job are in. */
export async function setCollection(db: Db, jobId: string, collection: string): Promise<void> {
  await db.updateTable('jobs').set({ collection }).where('id', '=', jobId).execute()
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
