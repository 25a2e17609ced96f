// A damaged JSON column ends the work that reads it: reading it again would not help.
import type { Context } from '@temporalio/activity'
import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { indexAndPublishActivities } from '../../activities/ingest/index-and-publish.ts'
import { readMedia } from '../../activities/ingest/media-rows.ts'
import { FAILURE } from '../../contracts/temporal.ts'
import { BlobMissing } from '../../db/blobs.ts'
import { insertFile } from '../../db/queries/files.ts'
import { planBatches, storeParsed } from '../../db/queries/job-batches.ts'
import { claimJob, insertJob } from '../../db/queries/jobs.ts'
import { startOcr } from '../../db/queries/ocr.ts'
import { failureInterceptor } from '../../workers/failure-interceptor.ts'
import { dialects } from '../support/dialects.ts'
import { indexOf } from '../support/search-index.ts'
import { inTx } from '../support/turn-rows.ts'

const SILENT = new DefaultLogger('ERROR', () => undefined)
const newFile = { user_id: 'u', key_id: null, name: 'n', type: 'text/plain', size: 5, sha256: 's' }

/** Runs an activity as a worker does, with the interceptor of its failures. */
function inWorker<T>(work: () => Promise<T>): Promise<unknown> {
  const context = { info: { activityType: 'indexBatch', attempt: 1 } } as Context
  const { execute } = failureInterceptor(context, pino({ level: 'silent' }))
  const worker = new MockActivityEnvironment({}, { logger: SILENT })
  return execute!({ args: [], headers: {} }, () => worker.run(work))
}

for (const dialect of dialects) {
  describe(dialect.name, () => {
    it('fails an activity finally, and shows nothing of the row', async () => {
      const storage = await (await dialect.fresh()).open()
      const { db } = storage
      const job = await inTx(storage, async (tx) => {
        const file = await insertFile(tx, newFile)
        const job = await insertJob(tx, { file, key_id: null, agent_id: 'agent' })
        await planBatches(tx, job.id, 1)
        await storeParsed(tx, job.id, 1, [{ page: 1, text: 'The ferry leaves at nine.' }])
        await claimJob(tx, { job_id: job.id, run: 1 }, 'run')
        return job
      })
      await db.updateTable('job_batches').set({ pages: '[{"text":"private"}]' }).execute()
      const activities = indexAndPublishActivities({ ...storage, index: indexOf(storage) })
      const failure = await inWorker(() => activities.indexBatch({ job_id: job.id, run: 1, batch: 1 })).catch(
        (error: unknown) => error,
      )
      expect(failure).toMatchObject({
        nonRetryable: true,
        type: FAILURE.final,
        details: [{ code: 'internal_error', message: 'A stored row is damaged; the log names it' }],
      })
      expect(JSON.stringify(failure)).not.toContain('private')
    })

    it('names the page whose OCR result is damaged', async () => {
      const storage = await (await dialect.fresh()).open()
      const ref = { job_id: 'job_1', part: '', page: 3 }
      await inTx(storage, (tx) => startOcr(tx, ref))
      await storage.db.updateTable('ocr_pages').set({ read: '{"text":"private"}' }).execute()
      await expect(inTx(storage, (tx) => startOcr(tx, ref))).rejects.toThrow(
        "Cannot read 'ocr_pages.read' of 'job_1/3': 'confidence' must be given (a number)",
      )
    })
  })
}

it('fails an activity finally that reads deleted bytes', async () => {
  const failure = await inWorker(() => Promise.reject(new BlobMissing('the blob is not in the folder'))).catch(
    (error: unknown) => error,
  )
  expect(failure).toMatchObject({ nonRetryable: true, type: FAILURE.final, details: [{ code: 'unprocessable' }] })
})

it.each([
  ['not JSON', '{"made"', "'jobs.media' of 'job_1': it must be JSON"],
  ['without derived files', '{"result":{},"metadata":{}}', "'jobs.media' of 'job_1': 'made' must be given"],
])('refuses the media of a job that is %s', (_, media, expected) => {
  expect(() => readMedia({ id: 'job_1', media })).toThrow(`Cannot read ${expected}`)
})
