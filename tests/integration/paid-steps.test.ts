// Steps of jobs that pay for requests: how often our own failures let them be sent again.
import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import { describe, expect, it } from 'vitest'
import { ingestionStep, type IngestionStep } from '../../activities/ingest/ingestion-step.ts'
import { insertFile } from '../../db/queries/files.ts'
import { FAILURE } from '../../contracts/temporal.ts'
import { claimJob, insertJob } from '../../db/queries/jobs.ts'
import type { Storage } from '../../db/storage.ts'
import { dialects } from '../support/dialects.ts'

const SILENT = new DefaultLogger('ERROR', () => undefined)
const FILE = { user_id: 'u', key_id: null, name: 'n', type: 'text/plain', size: 5, sha256: 's' }

for (const dialect of dialects) {
  describe(dialect.name, () => {
    /** Makes a function that runs an attempt of a step, and counts how often its work was done. */
    async function prepare(paid: boolean, work: (storage: Storage) => Promise<never>) {
      const storage = await (await dialect.fresh()).open()
      const { db } = storage
      const { job, ref } = await db.transaction().execute(async (tx) => {
        const file = await insertFile(tx, FILE)
        const job = await insertJob(tx, { file, key_id: null, agent_id: 'agent' })
        const ref = { job_id: job.id, run: 1 }
        await claimJob(tx, ref, 'run')
        return { job, ref }
      })
      const step: IngestionStep = { name: 'index', input: {}, paid }
      const counter = { requests: 0 }
      const run = (attempt: number) => {
        const workflowExecution = { workflowId: `job/${job.id}`, runId: 'run' }
        const worker = new MockActivityEnvironment({ attempt, workflowExecution }, { logger: SILENT })
        return worker.run(() =>
          ingestionStep(storage, ref, step, async () => {
            counter.requests += 1
            return work(storage)
          }),
        )
      }
      return { db, run, counter }
    }

    const fail = async (): Promise<never> => {
      throw new TypeError('a fault of this program')
    }

    it('a paid step that fails by a fault of this program is done five times at most', async () => {
      const { run, counter } = await prepare(true, fail)
      for (let attempt = 1; attempt < 5; attempt += 1) await expect(run(attempt)).rejects.toThrow(TypeError)
      await expect(run(5)).rejects.toMatchObject({ nonRetryable: true, details: [{ code: 'internal_error' }] })
      expect(counter.requests).toBe(5)
    })

    it('a paid step is done ten times at most when no failure of it can be recorded', async () => {
      const { db, run, counter } = await prepare(true, fail)
      await dialect.refuseUpdates(db, 'log_entries', 'duration_ms')
      for (let attempt = 1; attempt <= 10; attempt += 1) await expect(run(attempt)).rejects.toThrow(/refused/)
      await expect(run(11)).rejects.toMatchObject({ nonRetryable: true, details: [{ code: 'internal_error' }] })
      expect(counter.requests).toBe(10)
    })

    it.each([true, false])('a step whose file is deleted fails finally (paid: %s)', async (paid) => {
      const { run, counter } = await prepare(paid, ({ blobs }) =>
        blobs.withFile('u', FILE.sha256, fail, new AbortController().signal),
      )
      const details = [{ code: 'unprocessable', message: 'The file is deleted', details: { reason: 'file_deleted' } }]
      await expect(run(1)).rejects.toMatchObject({ nonRetryable: true, type: FAILURE.final, details })
      expect(counter.requests).toBe(1)
    })

    it('a step that pays for nothing is repeated until it succeeds', async () => {
      const { run, counter } = await prepare(false, fail)
      for (let attempt = 1; attempt <= 12; attempt += 1) await expect(run(attempt)).rejects.toThrow(TypeError)
      expect(counter.requests).toBe(12)
    })
  })
}
