// The part that all ingestion activities share: log entry, heartbeat, cancellation and failures.
import { activityInfo, cancellationDetails, cancellationSignal } from '@temporalio/activity'
import type { JobRef } from '../../contracts/job.ts'
import { BlobMissing } from '../../db/blobs.ts'
import { findRunning } from '../../db/queries/jobs.ts'
import { countAttempts, endLogEntry, startLogEntry, type LogEnd } from '../../db/queries/log.ts'
import type { JobsTable } from '../../db/schema.ts'
import { StopRequested } from '../../db/stops.ts'
import { MuxiError } from '../../contracts/failures.ts'
import { MediaFailure } from '../../media/failure.ts'
import { ProviderFailure } from '../../providers/failure.ts'
import {
  checkRequests,
  deletedFile,
  isActivityFailure,
  overBudget,
  overtaken,
  refusedFile,
  toInternalFailure,
  toModelFailure,
} from '../failures.ts'
import { startBeating } from '../heartbeat.ts'
import type { ActivityResources } from '../resources.ts'

export interface IngestionStep {
  name: string
  input: object
  /** Whether an attempt may send requests that are paid for. */
  paid?: boolean
}

/** Runs a step of a job that this run still owns, within a log entry. */
export async function ingestionStep<T extends object>(
  { db, stops }: Pick<ActivityResources, 'db' | 'stops'>,
  ref: JobRef,
  step: IngestionStep,
  work: (job: JobsTable, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { activityId, attempt, workflowExecution } = activityInfo()
  const workflow_id = workflowExecution?.workflowId ?? ''
  const stopBeating = startBeating()
  const stop = stops.register(ref.job_id)
  const signal = AbortSignal.any([stop.signal, cancellationSignal()])
  const startedAt = performance.now()
  let logId: string | undefined
  try {
    const job = await findRunning(db, ref)
    if (!job || job.cancel_requested_at !== null) throw overtaken()
    const activity_id = `${ref.run}/${activityId}`
    logId = await db.transaction().execute(async (tx) => {
      if (step.paid && attempt > 1) checkRequests(await countAttempts(tx, workflow_id, activity_id))
      return startLogEntry(tx, {
        stream_id: job.turn_id ?? job.id,
        kind: 'ingestion',
        name: step.name,
        workflow_id,
        // A retried job is a new run of the same workflow; its activity attempts count from 1 again.
        activity_id,
        attempt,
        input: { job_id: job.id, name: job.name, ...step.input },
      })
    })
    const output = await work(job, signal)
    await endLogEntry(db, logId, { status: 'completed', duration_ms: performance.now() - startedAt, output })
    return output
  } catch (error) {
    const reason = signal.aborted ? (signal.reason as unknown) : error
    if (logId !== undefined) {
      const end = { status: statusOf(reason), duration_ms: performance.now() - startedAt, error: describe(reason) }
      await endLogEntry(db, logId, end)
    }
    const countFailures = () => countAttempts(db, workflow_id, `${ref.run}/${activityId}`, 'failed')
    throw await toFailure(reason, step, countFailures)
  } finally {
    stop.done()
    stopBeating()
  }
}

/** A worker that shuts down interrupts its steps; another worker restarts them. */
function statusOf(reason: unknown): LogEnd['status'] {
  if (reason instanceof StopRequested) return 'cancelled'
  if (!cancellationSignal().aborted) return 'failed'
  return cancellationDetails()?.workerShutdown ? 'interrupted' : 'cancelled'
}

function describe(reason: unknown): object {
  if (reason instanceof MediaFailure) return { message: reason.message, reason: reason.reason }
  if (reason instanceof MuxiError) return { message: reason.message, reason: reason.code }
  if (reason instanceof ProviderFailure)
    return { message: reason.message, provider: reason.provider, status: reason.status }
  return { message: reason instanceof Error ? reason.name : 'unknown' }
}

/** History gets the reason code; a parser's message, which may quote the file, stays in the log. */
async function toFailure(reason: unknown, step: IngestionStep, countFailures: () => Promise<number>): Promise<unknown> {
  if (reason instanceof StopRequested) return overtaken()
  if (reason instanceof MediaFailure) {
    const { message, reason: word } = reason
    return refusedFile(message, word, MISSING.has(word) ? 'unavailable' : 'unprocessable')
  }
  if (reason instanceof BlobMissing) return deletedFile()
  // The blob storage is unavailable for now: Temporal retries.
  if (reason instanceof MuxiError && reason.code === 'unavailable') return reason
  // The job fails, and a retry of it, once there is a budget again, goes on with this step.
  if (reason instanceof MuxiError && reason.code === 'budget_exceeded') return overBudget(reason)
  if (reason instanceof MuxiError) return refusedFile(reason.message, reason.code, 'unprocessable')
  if (reason instanceof ProviderFailure) {
    const model = {
      provider: reason.provider,
      model: step.name === 'index' || step.name === 'embed' ? 'embedding' : step.name,
    }
    return toModelFailure(reason, model, (await countFailures()) - 1)
  }
  const isOwn = !isActivityFailure(reason) && statusOf(reason) === 'failed'
  return step.paid && isOwn ? toInternalFailure(reason, (await countFailures()) - 1) : reason
}

/** Reasons that are not the file's fault: a retry helps once the missing part is installed. */
const MISSING: ReadonlySet<string> = new Set(['no_decoder', 'no_converter', 'no_transcriber'])
