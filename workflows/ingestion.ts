// The part that all ingestions share: claim the job, process batches, publish at once, and record the end.
import { CancellationScope, ContinueAsNew, isCancellation, setCurrentDetails } from '@temporalio/workflow'
import type { JobClaim, JobInput, JobRef } from '../contracts/job.ts'
import { FAILURE } from '../contracts/temporal.ts'
import { beginJob, finishJob, indexBatch, publishJob } from './activities.ts'
import { eachBatch } from './each-batch.ts'
import { describeFailure, endedBy, failureOf } from './failures.ts'
import { summarize } from './summarize.ts'

const INDEXING = 2

export interface Ingestion {
  ref: JobRef
  /** Without an agent nothing is indexed. */
  indexed: boolean
}

/** Runs the work of a job, and records how it ended. @param read reads the file in batches. @returns how many there are and what of */
export function ingestion(
  job: JobInput,
  read: (job: Ingestion) => Promise<{ batches: number; what: string }>,
): Promise<{ status: string }> {
  return runJob(job, async (ref, claim) => {
    const { batches, what } = await read({ ref, indexed: claim.indexed })
    if (claim.indexed) {
      setCurrentDetails(`Indexing ${what}`)
      await eachBatch(batches, INDEXING, (batch) =>
        indexBatch.executeWithOptions({ summary: `Batch ${batch} of ${batches}` }, [{ ...ref, batch }]),
      )
    }
    if (claim.summarize) await summarize(ref, claim.indexed)
    const { chunks } = await publishJob(ref)
    setCurrentDetails(`Completed: ${what}, ${chunks} chunks`)
  })
}

/** Claims the job, does its work, and records how it ended. */
export async function runJob(
  { job_id, run }: JobInput,
  work: (ref: JobRef, claim: JobClaim & { claimed: true }) => Promise<void>,
): Promise<{ status: string }> {
  const ref = { job_id, run }
  const claim = await beginJob(ref)
  if (!claim.claimed) return { status: 'over' }
  try {
    await work(ref, claim)
    return { status: 'completed' }
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error
    const cancelled = isCancellation(error) || failureOf(error)?.type === FAILURE.stopped
    const failure = cancelled ? undefined : describeFailure(error, 'job')
    setCurrentDetails(failure ? `Failed: ${failure.message}` : 'Cancelled')
    const status = failure ? 'failed' : 'cancelled'
    await CancellationScope.nonCancellable(() => finishJob({ ...ref, status, ...(failure && { failure }) }))
    if (failure) throw endedBy(failure)
    if (isCancellation(error)) throw error
    return { status }
  }
}
