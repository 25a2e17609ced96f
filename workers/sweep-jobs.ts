// Starts jobs again whose workflow was never started, or lost: the steps of an ingestion are idempotent.
import type { Client } from '@temporalio/client'
import type { Logger } from 'pino'
import { JOB_WORKFLOWS, toJobInput } from '../contracts/job.ts'
import { workflowId } from '../contracts/temporal.ts'
import { finishJob } from '../db/queries/job-ends.ts'
import { listUnfinishedJobs } from '../db/queries/jobs.ts'
import { findTurn, UNFINISHED } from '../db/queries/turns.ts'
import type { Storage } from '../db/storage.ts'
import { jobStart } from '../workflows/labels.ts'
import { isOpen } from './engine.ts'

const PAGE = 100

interface Options {
  client: Client
  storage: Storage
  log: Logger
}

/** One pass over the unfinished jobs made before a moment. */
export async function sweepJobs({ client, storage, log }: Options, before: string, signal: AbortSignal): Promise<void> {
  let after = ''
  for (;;) {
    const jobs = await listUnfinishedJobs(storage.db, before, PAGE, after)
    for (const job of jobs) {
      signal.throwIfAborted()
      if (await isOpen(client, workflowId.job(job.id))) continue
      const turn = job.turn_id === null ? undefined : await findTurn(storage.db, job.turn_id)
      // Attachments of a message are only read by its turn.
      if (turn && UNFINISHED.includes(turn.status)) continue
      if (turn || job.cancel_requested_at !== null) {
        const told = await storage.db
          .transaction()
          .execute((tx) => finishJob(tx, { job_id: job.id, run: job.run, status: 'cancelled' }))
        storage.events.publish(job.id, told)
      } else {
        await client.workflow.start(JOB_WORKFLOWS[job.kind], {
          ...jobStart(toJobInput(job, storage.box.pseudonym(job.user_id)), job.kind),
          workflowIdConflictPolicy: 'USE_EXISTING',
        })
      }
      log.warn({ job_id: job.id, was: job.status, now: turn ? 'cancelled' : 'started again' }, 'swept a job')
    }
    const last = jobs.at(-1)
    if (!last) return
    after = last.id
  }
}
