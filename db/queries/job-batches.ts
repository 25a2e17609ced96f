// The batches of a job: ranges of pages, or segments of a recording, with the text extracted from each.
import type { JobRef } from '../../contracts/job.ts'
import { mergeNotices, type Notice } from '../../contracts/notices.ts'
import { batchPages, type StoredPage } from '../job-columns.ts'
import { parseColumn } from '../json-column.ts'
import type { Db, JobBatchesTable, Tx } from '../schema.ts'
import { findRunning, lockJob } from './jobs.ts'

export type { StoredPage }

/** Pages parsed in one call. */
const BATCH_PAGES = 50

/**
 * Divides a document into batches of pages, once. @param whole all its pages, if they are read already @returns the number
 * of batches
 */
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

/** Whether all batches of a job are parsed. */
export async function isParsed(db: Db | Tx, jobId: string): Promise<boolean> {
  const unparsed = await db
    .selectFrom('job_batches')
    .select('batch')
    .where('job_id', '=', jobId)
    .where('pages', 'is', null)
    .limit(1)
    .executeTakeFirst()
  return unparsed === undefined
}

/** Stores the segments of a recording, each as a page, once. */
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

/** Counts an attempt to parse a batch. @returns undefined when it is parsed already */
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

/**
 * Records that the chunks of a batch are indexed. @returns false when this run no longer owns the job: its chunks are never
 * visible
 */
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

/** As it was extracted: Markdown, and what is known of where it came from. */
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
  return row && { chunks: row.chunks, pages: parseColumn(batchPages, row.pages, `${jobId}/${batch}`) }
}

/** The extracted text of a job, one batch at a time, in order. */
export async function* readText(db: Db | Tx, jobId: string): AsyncGenerator<StoredPage[]> {
  for (let batch = 1; ; batch += 1) {
    const found = await findBatch(db, jobId, batch)
    if (!found) return
    if (found.pages) yield found.pages
  }
}

export interface JobText {
  /** Whether the job has extracted any text. */
  hasText: boolean
  /** What was left out of its pages. */
  notices: Notice[]
}

/** Reads all pages of a job: outside of a transaction, which would be held for as long. */
export async function readNotices(db: Db, jobId: string): Promise<JobText> {
  let hasText = false
  let notices: Notice[] = []
  for await (const pages of readText(db, jobId)) {
    hasText ||= pages.some(({ text }) => text.trim() !== '')
    notices = mergeNotices([...notices, ...pages.flatMap(noticesOf)])
  }
  return { hasText, notices }
}

function noticesOf({ page, label, notices = [] }: StoredPage): Notice[] {
  return notices.map((notice) => ({ ...notice, places: notice.places ?? [label ?? `page ${page}`] }))
}
