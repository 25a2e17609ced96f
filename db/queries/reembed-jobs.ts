// Jobs that embed everything again: at most one is unfinished, because there is one index.
import { MuxiError } from '../../contracts/failures.ts'
import type { JobRef } from '../../contracts/job.ts'
import type { ReembedResult, StoredEvent } from '../../contracts/events.ts'
import { jobEnded } from '../../contracts/telemetry.ts'
import { differencesOf } from '../dialect.ts'
import type { Db, JobsTable, Tx } from '../schema.ts'
import { addToStream } from './job-progress.ts'
import { findRunning, insertJob, lockJob, UNFINISHED } from './jobs.ts'

/** The user of these jobs: none, so that keys that are bound to a user do not see them. */
const NO_USER = ''

/** Inserts a queued job that embeds everything with the model. @throws MuxiError `conflict` */
export async function insertReembed(tx: Tx, model: string, key_id: string): Promise<JobsTable> {
  await checkOnly(tx)
  const file = { id: '', user_id: NO_USER, name: model, sha256: '' }
  return insertJob(tx, { kind: 'reembed', file, key_id })
}

/** @throws MuxiError `conflict` when there is an unfinished one; another one cannot begin until the transaction ends */
export async function checkOnly(tx: Tx): Promise<void> {
  await differencesOf(tx).lockNames(tx, ['reembed'])
  const other = await findReembed(tx)
  if (other) throw new MuxiError('conflict', `Cannot begin to embed everything again: job '${other.id}' is doing so`)
}

/** The unfinished one. */
export function findReembed(db: Db | Tx): Promise<JobsTable | undefined> {
  return db
    .selectFrom('jobs')
    .selectAll()
    .where('kind', '=', 'reembed')
    .where('status', 'in', UNFINISHED)
    .executeTakeFirst()
}

/** Completes the job. @returns the events to publish; undefined when it is over, or is to be cancelled */
export async function completeReembed(tx: Tx, ref: JobRef, result: ReembedResult): Promise<StoredEvent[] | undefined> {
  await lockJob(tx, ref.job_id)
  const job = await findRunning(tx, ref)
  if (!job || job.cancel_requested_at !== null) return undefined
  const { chunks: done } = result
  const finished_at = new Date().toISOString()
  await tx
    .updateTable('jobs')
    .set({ status: 'completed', stage: 'done', done, total: done, result: JSON.stringify(result), finished_at })
    .where('id', '=', job.id)
    .execute()
  jobEnded.publish({ kind: 'reembed', status: 'completed' })
  return addToStream(tx, job.id, { event: { type: 'completed', data: { id: job.id, result } } })
}
