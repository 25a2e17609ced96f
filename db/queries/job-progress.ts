// Progress of a job, in its row and its event stream.
import type { JobStage } from '../../contracts/job.ts'
import type { JobProgress, StoredEvent } from '../../contracts/events.ts'
import { addEvents, type Addition } from '../event-rows.ts'
import type { JobsTable, Tx } from '../schema.ts'
import { lockJob, UNFINISHED } from './jobs.ts'
import { countRead } from './ocr.ts'
import { countSummaries } from './summaries.ts'

/** Advances the progress of a stage, once per key. @returns the events to publish; none when the run no longer owns the job */
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
  return addToStream(tx, job.id, { event: { type: 'progress', data }, key: `${job.run}:${stage}:${key}` })
}

/** The same for a job that embeds everything again. @param filled chunks that have been embedded, of all */
export async function advanceReembed(
  tx: Tx,
  { id, run }: Pick<JobsTable, 'id' | 'run'>,
  { done, total }: { done: number; total: number },
): Promise<StoredEvent[]> {
  const stage = 'embedding'
  const now = new Date().toISOString()
  await lockJob(tx, id)
  const updated = await tx
    .updateTable('jobs')
    .set((eb) => ({
      stage,
      done,
      total,
      stage_started_at: eb.case().when('stage', '=', stage).then(eb.ref('stage_started_at')).else(now).end(),
    }))
    .where('id', '=', id)
    .where('run', '=', run)
    .where('status', 'in', UNFINISHED)
    .returning(['kind', 'stage', 'done', 'total', 'stage_started_at'])
    .executeTakeFirst()
  if (!updated) return []
  const event = { type: 'progress' as const, data: progressOf(updated) }
  return addToStream(tx, id, { event, key: `${run}:${stage}:${done}/${total}` })
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

const UNITS = { document: 'pages', image: 'pictures', audio: 'segments', reembed: 'chunks' } as const

/** The progress of a job, with the estimated remaining time of the stage. */
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

/** @returns the events to publish */
export async function addToStream(tx: Tx, stream: string, addition: Addition): Promise<StoredEvent[]> {
  const added = await addEvents(tx, stream, undefined, [addition])
  return 'events' in added ? added.events : []
}
