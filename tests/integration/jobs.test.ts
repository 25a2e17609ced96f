// Ingestion jobs that several processes change at once, on both databases.
import { describe, expect, it } from 'vitest'
import { deleteFile, findFile, insertFile } from '../../db/queries/files.ts'
import {
  advance,
  claimJob,
  completeJob,
  findJob,
  finishJob,
  insertJob,
  planBatches,
  storeIndexed,
} from '../../db/queries/jobs.ts'
import type { Tx } from '../../db/schema.ts'
import type { Storage } from '../../db/storage.ts'
import { dialects } from '../support/dialects.ts'

const BATCHES = 6
const inTx = <T>({ db }: Storage, work: (tx: Tx) => Promise<T>) => db.transaction().execute(work)
const newFile = { user_id: 'u', key_id: null, name: 'n', type: 'text/plain', size: 5_000_000_000, sha256: 's' }

for (const dialect of dialects) {
  describe(dialect.name, () => {
    async function open() {
      const database = await dialect.fresh()
      const [a, b] = [await database.open(), await database.open()]
      const file = await insertFile(a.db, newFile)
      const job = await inTx(a, (tx) => insertJob(tx, { file, key_id: null }))
      await inTx(a, (tx) => claimJob(tx, { job_id: job.id, run: 1 }, 'run'))
      await inTx(a, (tx) => planBatches(tx, job.id, BATCHES * 50))
      return { a, b, file, job, ref: { job_id: job.id, run: 1 } }
    }

    it('counts every batch that is done, however many are done at once', async () => {
      const { a, b, job, ref } = await open()
      const batches = Array.from({ length: BATCHES }, (_, index) => index + 1)
      await Promise.all(
        batches.map((batch) =>
          inTx(batch % 2 ? a : b, async (tx) => {
            await storeIndexed(tx, job.id, batch, 10)
            return advance(tx, job, 'indexing', String(batch))
          }),
        ),
      )
      expect(await findJob(a.db, job.id)).toMatchObject({ done: BATCHES * 50, total: BATCHES * 50 })
      const completed = await inTx(b, (tx) => completeJob(tx, ref))
      expect(completed?.result).toMatchObject({ pages: BATCHES * 50, chunks: BATCHES * 10 })
    })

    it('ends a job once, when it completes and is cancelled at the same moment', async () => {
      for (let round = 0; round < 5; round += 1) {
        const { a, b, job, ref } = await open()
        const [completed, told] = await Promise.all([
          inTx(a, (tx) => completeJob(tx, ref)),
          inTx(b, (tx) => finishJob(tx, { ...ref, status: 'cancelled' })),
        ])
        expect([completed !== undefined, told.length > 0].filter(Boolean)).toHaveLength(1)
        expect((await findJob(a.db, job.id))?.status).toBe(completed ? 'completed' : 'cancelled')
        await a.close()
        await b.close()
      }
    })

    it('says once that the bytes of a file are nobody’s any more, and knows how large it was', async () => {
      const { a, b, file } = await open()
      expect((await findFile(a.db, file.id))?.size).toBe(newFile.size)
      const same = await insertFile(b.db, newFile)
      const last = await Promise.all([inTx(a, (tx) => deleteFile(tx, file)), inTx(b, (tx) => deleteFile(tx, same))])
      expect(last.filter(Boolean)).toHaveLength(1)
    })
  })
}
