// Reuse of an ingestion: the same bytes with the same options give a job that is completed at once.
import { canonicalJson } from '../../contracts/json.ts'
import type { StoredEvent } from '../../contracts/events.ts'
import { jobOptions, jobResult } from '../job-columns.ts'
import { parseColumn } from '../json-column.ts'
import { addEvents } from '../event-rows.ts'
import type { JobsTable, Tx } from '../schema.ts'
import { insertJob, type NewJob } from './jobs.ts'

/** Jobs with the same bytes that are considered, newest first. */
const LOOKED_AT = 20

/**
 * A job that read the same bytes of the same user for the same agent with the same options, and whose text still exists and, where
 * it was indexed, is published. Images are excluded: their derived files belong to the file.
 * @param collection the current collection of vectors
 */
export async function findTwin(tx: Tx, job: NewJob, collection: string): Promise<JobsTable | undefined> {
  const kind = job.kind ?? 'document'
  if (kind === 'image') return undefined
  const options = canonicalJson(job.options ?? {})
  const jobs = await tx
    .selectFrom('jobs')
    .selectAll()
    .where('user_id', '=', job.file.user_id)
    .where('sha256', '=', job.file.sha256)
    .where('kind', '=', kind)
    .where('status', '=', 'completed')
    .where('conversation_id', 'is', null)
    .where('agent_id', job.agent_id === undefined ? 'is' : '=', job.agent_id ?? null)
    .orderBy('id', 'desc')
    .limit(LOOKED_AT)
    .execute()
  for (const twin of jobs) {
    if (canonicalJson(parseColumn(jobOptions, twin.options, twin.id)) !== options) continue
    // In a source that was named, a document is known by its name.
    if (job.knowledge_id !== undefined && (twin.knowledge_id !== job.knowledge_id || twin.name !== job.file.name))
      continue
    if (await isThere(tx, twin, collection)) return twin
  }
  return undefined
}

async function isThere(tx: Tx, twin: JobsTable, collection: string): Promise<boolean> {
  const text = await tx
    .selectFrom('job_batches')
    .select('batch')
    .where('job_id', '=', twin.id)
    .limit(1)
    .executeTakeFirst()
  if (!text && twin.pages !== 0) return false
  if (twin.agent_id === null) return true
  if (twin.knowledge_id === null || twin.collection !== collection) return false
  const shown = await tx
    .selectFrom('documents')
    .select('generation')
    .where('id', '=', twin.document_id)
    .executeTakeFirst()
  return shown?.generation === twin.generation
}

/** Inserts a completed job with the results of its twin. */
export async function insertTwin(
  tx: Tx,
  job: NewJob,
  twin: JobsTable,
): Promise<{ job: JobsTable; events: StoredEvent[] }> {
  const row = await insertJob(tx, {
    ...job,
    knowledge_id: twin.knowledge_id ?? undefined,
    document_id: twin.document_id,
  })
  const read = parseColumn(jobResult, twin.result, twin.id)
  if (!read) throw new Error(`Cannot reuse job '${twin.id}': it has no result`)
  const result = { ...read, reused_job_id: twin.id }
  const { collection, generation, media, pages, run_id, done, total } = twin
  const now = new Date().toISOString()
  const finished = await tx
    .updateTable('jobs')
    .set({
      collection,
      generation,
      media,
      pages,
      run_id,
      done,
      total,
      status: 'completed',
      stage: 'done',
      result: JSON.stringify(result),
      started_at: now,
      finished_at: now,
    })
    .where('id', '=', row.id)
    .returningAll()
    .executeTakeFirstOrThrow()
  const batches = await tx.selectFrom('job_batches').selectAll().where('job_id', '=', twin.id).execute()
  for (const batch of batches)
    await tx
      .insertInto('job_batches')
      .values({ ...batch, job_id: row.id, parses: 0 })
      .execute()
  const event = { type: 'completed' as const, data: { id: row.id, result } }
  const added = await addEvents(tx, row.id, undefined, [{ event }])
  return { job: finished, events: 'events' in added ? added.events : [] }
}
