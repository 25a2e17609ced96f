// Ingestion jobs that several processes change at once, on both databases.
import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import { sql } from 'kysely'
import { describe, expect, it, vi } from 'vitest'
import { removeFile } from '../../api/services/files.ts'
import { indexAndPublishActivities } from '../../activities/ingest/index-and-publish.ts'
import { deleteFile, findFile, holdFileOrThrow, insertFile } from '../../db/queries/files.ts'
import { advance } from '../../db/queries/job-progress.ts'
import { claimJob, findJob, insertJob } from '../../db/queries/jobs.ts'
import { completeJob, finishJob, reviveJob } from '../../db/queries/job-ends.ts'
import { findBatch, planBatches, storeIndexed, storeParsed } from '../../db/queries/job-batches.ts'
import { deleteSource, findSource, joinSource } from '../../db/queries/knowledge.ts'
import type { Tx } from '../../db/schema.ts'
import type { Storage } from '../../db/storage.ts'
import type { Embedder } from '../../providers/embedder.ts'
import { hashingEmbedder } from '../../providers/hashing-embedder.ts'
import { dialects, type TestStorage } from '../support/dialects.ts'
import { indexOf } from '../support/search-index.ts'

const BATCHES = 6
const inTx = <T>({ db }: Storage, work: (tx: Tx) => Promise<T>) => db.transaction().execute(work)
const newFile = { user_id: 'u', key_id: null, name: 'n', type: 'text/plain', size: 5_000_000_000, sha256: 's' }

const SILENT = new DefaultLogger('ERROR', () => undefined)

/** The local embedder, as slow as the test wants it. */
class HeldEmbedder implements Embedder {
  readonly #local = hashingEmbedder()
  readonly #asked = Promise.withResolvers<void>()
  readonly #letGo = Promise.withResolvers<void>()
  readonly model = this.#local.model
  readonly dimension = this.#local.dimension
  readonly isCostly = false
  readonly asked = this.#asked.promise

  letGo(): void {
    this.#letGo.resolve()
  }

  async embed(...given: Parameters<Embedder['embed']>): Promise<Float32Array[]> {
    this.#asked.resolve()
    await this.#letGo.promise
    return this.#local.embed(...given)
  }
}

for (const dialect of dialects) {
  describe(dialect.name, () => {
    async function open(agent_id?: string) {
      const database = await dialect.fresh()
      const [a, b] = [await database.open(), await database.open()]
      const file = await insertFile(a.db, newFile)
      const job = await inTx(a, (tx) => insertJob(tx, { file, key_id: null, agent_id }))
      await inTx(a, (tx) => claimJob(tx, { job_id: job.id, run: 1 }, 'run'))
      await inTx(a, (tx) => planBatches(tx, job.id, BATCHES * 50))
      return { a, b, file, job, ref: { job_id: job.id, run: 1 } }
    }

    /** Resolves when a transaction waits for another one; on SQLite each does at once. */
    const waited = ({ db }: Storage) =>
      dialect.name === 'sqlite'
        ? Promise.resolve()
        : vi.waitFor(
            async () => {
              const { rows } =
                await sql`select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`.execute(
                  db,
                )
              expect(rows).toHaveLength(1)
            },
            { timeout: 30_000, interval: 5 },
          )

    it('counts every batch that is done, however many are done at once', async () => {
      const { a, b, job, ref } = await open()
      const batches = Array.from({ length: BATCHES }, (_, index) => index + 1)
      await Promise.all(
        batches.map((batch) =>
          inTx(batch % 2 ? a : b, async (tx) => {
            await storeIndexed(tx, ref, batch, 10)
            return advance(tx, job, 'indexing', String(batch))
          }),
        ),
      )
      expect(await findJob(a.db, job.id)).toMatchObject({ done: BATCHES * 50, total: BATCHES * 50 })
      const completed = await inTx(b, (tx) => completeJob(tx, ref, { hasText: true, notices: [] }))
      expect(completed?.result).toMatchObject({ pages: BATCHES * 50, chunks: BATCHES * 10 })
    })

    it('leaves nothing of a cancelled run in the index, nor in the progress of the next one, when its worker writes late', async () => {
      const { a, b, job, ref } = await open('agent')
      await inTx(a, (tx) => storeParsed(tx, job.id, 1, [{ page: 1, text: 'The ferry leaves at nine.' }]))
      const slow = new HeldEmbedder()
      const run = (storage: TestStorage, embedder: Embedder) => {
        const activities = indexAndPublishActivities({ ...storage, index: indexOf(storage, embedder) })
        const worker = new MockActivityEnvironment({}, { logger: SILENT })
        return {
          index: (run: number) => worker.run(() => activities.indexBatch({ ...ref, run, batch: 1 })),
          cancel: () => worker.run(() => activities.finishJob({ ...ref, status: 'cancelled' })),
        }
      }
      const late = run(b, slow).index(1)
      late.catch(() => undefined)
      await slow.asked
      await run(a, hashingEmbedder()).cancel()
      const chunks = () => a.db.selectFrom('chunks').select('generation').execute()
      slow.letGo()
      await expect(late).rejects.toThrow('A newer attempt has begun')
      expect(await chunks()).toEqual([])
      expect(await findBatch(a.db, job.id, 1)).toMatchObject({ chunks: null })

      await inTx(a, (tx) => reviveJob(tx, job.id))
      const again = { ...ref, run: 2 }
      await inTx(a, (tx) => claimJob(tx, again, 'run'))
      expect(await run(a, hashingEmbedder()).index(2)).toEqual({ batch: 1, chunks: 1 })
      expect(await chunks()).toEqual([{ generation: 2 }])
      // What the first run still wanted to tell changes nothing either.
      expect(await inTx(b, (tx) => storeIndexed(tx, ref, 1, 99))).toBe(false)
      expect(await inTx(b, (tx) => advance(tx, job, 'parsing', '1'))).toEqual([])
      expect(await findJob(a.db, job.id)).toMatchObject({ stage: 'indexing', run: 2 })
    })

    it('removes with a knowledge source the document that is concurrently added to it', async () => {
      const { a, b, file } = await open()
      const source = { agent_id: 'agent', id: 'source', description: 'A source', file: null }
      await inTx(a, (tx) => joinSource(tx, source))
      const { job, removing } = await inTx(a, async (tx) => {
        await joinSource(tx, source)
        const removing = inTx(b, (other) => deleteSource(other, 'agent', source.id))
        await Promise.race([removing, waited(a)])
        const job = await insertJob(tx, { file, key_id: null, agent_id: 'agent', knowledge_id: source.id })
        return { job, removing }
      })
      expect((await removing).map(({ id }) => id)).toEqual([job.id])
      expect(await findSource(a.db, 'agent', source.id)).toBeUndefined()
      expect((await findJob(a.db, job.id))?.knowledge_id).toBeNull()
    })

    it('ends a job once, when it completes and is cancelled at the same moment', async () => {
      for (let round = 0; round < 5; round += 1) {
        const { a, b, job, ref } = await open()
        const [completed, told] = await Promise.all([
          inTx(a, (tx) => completeJob(tx, ref, { hasText: true, notices: [] })),
          inTx(b, (tx) => finishJob(tx, { ...ref, status: 'cancelled' })),
        ])
        expect([completed !== undefined, told.length > 0].filter(Boolean)).toHaveLength(1)
        expect((await findJob(a.db, job.id))?.status).toBe(completed ? 'completed' : 'cancelled')
        await a.close()
        await b.close()
      }
    })

    it('does not revive a job whose file is deleted, also when both happen at once', async () => {
      for (let round = 0; round < 5; round += 1) {
        const { a, b, job, file, ref } = await open()
        await inTx(a, (tx) => finishJob(tx, { ...ref, status: 'cancelled' }))
        const [deleted, revived] = await Promise.allSettled([
          removeFile({ storage: a }, file),
          inTx(b, (tx) => reviveJob(tx, job.id)),
        ])
        expect([deleted.status, revived.status].toSorted()).toEqual(['fulfilled', 'rejected'])
        if (deleted.status === 'rejected') expect(deleted.reason).toMatchObject({ code: 'conflict' })
        else {
          const refusal = { code: 'conflict', message: `Cannot retry job '${job.id}': its file is deleted` }
          expect(revived).toMatchObject({ reason: refusal })
          await expect(inTx(b, (tx) => reviveJob(tx, job.id))).rejects.toMatchObject(refusal)
          expect(await findJob(a.db, job.id)).toMatchObject({ status: 'cancelled', run: 1 })
        }
        await a.close()
        await b.close()
      }
    })

    it('inserts no job for a file that is deleted at the same moment', async () => {
      const { a, b } = await open()
      const file = await insertFile(a.db, newFile)
      const { deleting } = await inTx(b, async (tx) => {
        await holdFileOrThrow(tx, file.id)
        const deleting = removeFile({ storage: a }, file)
        deleting.catch(() => undefined)
        await Promise.race([deleting, waited(b)])
        await insertJob(tx, { file, key_id: null })
        return { deleting }
      })
      await expect(deleting).rejects.toMatchObject({ code: 'conflict' })
      expect(await findFile(a.db, file.id)).toBeDefined()
      await expect(inTx(b, (tx) => holdFileOrThrow(tx, 'file_gone'))).rejects.toMatchObject({ code: 'not_found' })
    })

    it('reports once that the bytes of a file are unreferenced, and its size', async () => {
      const { a, b, file } = await open()
      expect((await findFile(a.db, file.id))?.size).toBe(newFile.size)
      const same = await insertFile(b.db, newFile)
      const last = await Promise.all([inTx(a, (tx) => deleteFile(tx, file)), inTx(b, (tx) => deleteFile(tx, same))])
      expect(last.filter(Boolean)).toHaveLength(1)
    })
  })
}
