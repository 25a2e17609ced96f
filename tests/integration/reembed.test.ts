// The change of the embedding model on both databases: hidden vectors beside those that searches use, the switch, and what is
// written, removed, cancelled and repeated meanwhile.
import { sql } from 'kysely'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readAllEvents } from '../../db/event-rows.ts'
import { finishJob, reviveJob } from '../../db/queries/job-ends.ts'
import { findJob } from '../../db/queries/jobs.ts'
import { insertReembed } from '../../db/queries/reembed-jobs.ts'
import { requestStop } from '../../db/queries/stop-requests.ts'
import type { Embedder } from '../../providers/embedder.ts'
import { ProviderFailure } from '../../providers/failure.ts'
import { VectorsMismatch } from '../../vectors/store.ts'
import { dialects, type TestStorage } from '../support/dialects.ts'
import { find, old, Other, workerOf, write } from '../support/reembedding.ts'
import { indexOf } from '../support/search-index.ts'
import { inTx } from '../support/turn-rows.ts'

const { signal } = new AbortController()
const TEXTS = Array.from({ length: 300 }, (_, index) => `Letter ${index} of the keeper, about ferry number ${index}.`)

for (const dialect of dialects) {
  describe(dialect.name, () => {
    async function open(texts = TEXTS) {
      const database = await dialect.fresh()
      const storage = await database.open()
      await write(storage, old, 'doc_a', texts)
      const other = new Other()
      const job = await inTx(storage, (tx) => insertReembed(tx, other.model, 'key'))
      const worker = workerOf(storage, other, job)
      await worker.claim()
      return { database, storage, other, job, worker }
    }
    const sets = ({ db }: TestStorage) =>
      db.selectFrom('vector_sets').select(['name', 'state', 'model']).orderBy('created_at').execute()
    /** Chunks without a vector in the set that serves. */
    const missing = async ({ db }: TestStorage) => {
      const { vectors } = await db.selectFrom('collections').select('vectors').executeTakeFirstOrThrow()
      const id = dialect.name === 'sqlite' ? 'rowid' : 'chunk_id'
      const { rows } =
        await sql<object>`select id from chunks where id not in (select ${sql.ref(id)} from ${sql.table(vectors)})`.execute(
          db,
        )
      return rows.length
    }

    it('serves by the former model until the switch, and by the new one after it, in every process', async () => {
      const { database, storage, other, job, worker } = await open()
      const second = await database.open()
      expect(await find(second, old, 'ferry number 7')).toContain(TEXTS[7])
      expect(await worker.plan()).toEqual({ chunks: TEXTS.length })
      expect(await worker.embed()).toEqual({ chunks: TEXTS.length, left: false })
      expect(await find(storage, other, 'ferry number 7')).toContain(TEXTS[7])
      expect((await indexOf(storage, other, [old]).serving()).embedder.model).toBe(old.model)
      expect(await worker.takeOver()).toEqual({ completed: true })
      // The other process does not know yet.
      expect(await find(second, other, 'ferry number 7')).toContain(TEXTS[7])
      expect((await indexOf(second, other).serving()).embedder.model).toBe(other.model)
      expect(await worker.removeOld()).toEqual({ removed: 1 })
      expect((await sets(storage)).map(({ model }) => model)).toEqual([other.model])
      expect(await find(storage, other, 'ferry number 7')).toContain(TEXTS[7])
      expect(await missing(storage)).toBe(0)
      expect(await findJob(storage.db, job.id)).toMatchObject({ status: 'completed', done: 300, total: 300 })
      const events = await readAllEvents(storage.db, job.id)
      expect(
        events.map(({ type, data }) => [type, 'stage' in data && `${data.done}/${data.total} ${data.unit}`]),
      ).toEqual([
        ['progress', '0/300 chunks'],
        ['progress', '256/300 chunks'],
        ['progress', '300/300 chunks'],
        ['completed', false],
      ])
      expect(events.at(-1)?.data).toEqual({
        id: job.id,
        result: { model: other.model, dimension: 96, chunks: 300 },
      })
    })

    it('refuses vectors of the other model before and after the switch', async () => {
      const { storage, other, worker } = await open(['The harbour.'])
      const add = (embedder: Embedder, dimension = embedder.dimension) =>
        storage.vectors.addChunks(
          { model: embedder.model, agent_id: 'agent', scope: '', document_id: 'doc_b', generation: 1 },
          [{ text: 'x', page: 1, position: 0, vector: new Float32Array(dimension).fill(1) }],
        )
      const asked = { agent_id: 'agent', scopes: [''], text: 'x', top_k: 1 }
      const search = ({ model, dimension }: Embedder) =>
        storage.vectors.search({ ...asked, model, vector: new Float32Array(dimension).fill(1) })
      await expect(add(other)).rejects.toThrow(VectorsMismatch)
      await expect(search(other)).rejects.toThrow(VectorsMismatch)
      await worker.plan()
      await worker.embed()
      await worker.takeOver()
      await expect(add(old)).rejects.toThrow(VectorsMismatch)
      await expect(search(old)).rejects.toThrow(VectorsMismatch)
      await expect(add(other, 384)).rejects.toThrow(VectorsMismatch)
      await search(other)
    })

    it('misses nothing that is added while it embeds, and keeps nothing that is removed', async () => {
      const { database, storage, other, worker } = await open()
      const second = await database.open()
      await write(storage, old, 'doc_gone', ['A letter that is thrown away.'])
      let writes = 0
      // Written by another process while each request is answered.
      other.before = async () => {
        const number = (writes += 1)
        await write(second, old, `doc_new_${number}`, [`Note ${number} was written in the meantime.`])
        if (number === 2) await second.vectors.discard('doc_gone')
      }
      await worker.plan()
      await worker.embed()
      other.before = () => undefined
      await write(second, old, 'doc_last', ['The last note before the switch.'])
      expect(await worker.takeOver()).toEqual({ completed: false })
      // Nothing is added now: what comes is added by the new model.
      const waiting = write(second, other, 'doc_after', ['A note after the switch.'])
      await worker.embed()
      expect(await worker.takeOver()).toEqual({ completed: true })
      await waiting
      expect(await missing(storage)).toBe(0)
      for (const question of ['note 1 in the meantime', 'last note before the switch', 'note after the switch'])
        expect((await find(second, other, question))[0]?.toLowerCase()).toContain(question.slice(-10))
      expect(await find(storage, other, 'letter that is thrown away')).not.toContain('A letter that is thrown away.')
      expect(writes).toBeGreaterThan(3)
    })

    it('switches while others write all the time, without a chunk that has no vector', async () => {
      const { database, storage, other, job, worker } = await open(TEXTS.slice(0, 50))
      const second = await database.open()
      const stop = new AbortController()
      onTestFinished(() => stop.abort())
      const writing = (async () => {
        let written = 0
        for (; !stop.signal.aborted; written += 1) await write(second, other, `doc_${written}`, [`Entry ${written}.`])
        return written
      })()
      await worker.plan()
      do await worker.embed()
      while (!(await worker.takeOver()).completed)
      const { model } = await storage.vectors.servingNow(other)
      stop.abort()
      const written = await writing
      expect(model).toBe(other.model)
      expect(await missing(storage)).toBe(0)
      expect(await storage.db.selectFrom('chunks').select('id').execute()).toHaveLength(50 + written)
      expect((await findJob(storage.db, job.id))?.status).toBe('completed')
    })

    it.runIf(dialect.name === 'postgres')(
      'builds the index of the new vectors in bulk, before the switch',
      async () => {
        const { storage, worker, job } = await open()
        const { db, hidden } = storage
        await worker.plan()
        const [set] = await db.selectFrom('vector_sets').selectAll().where('state', '=', 'building').execute()
        const name = `${set!.name}_by_nearness`
        const isValid = async () => {
          const { rows } = await sql<{ valid: boolean }>`
          select indisvalid as valid from pg_index where indexrelid = to_regclass(${name})`.execute(db)
          return rows[0]?.valid
        }
        await worker.embed()
        expect(await isValid()).toBeUndefined()
        // As a build that was interrupted leaves it.
        await hidden.buildIndex(job.id, signal)
        await sql`update pg_index set indisvalid = false where indexrelid = to_regclass(${name})`.execute(db)
        expect(await worker.takeOver()).toEqual({ completed: true })
        expect(await isValid()).toBe(true)
      },
    )

    it.runIf(dialect.name === 'postgres')('stops a build of the index that waits', async () => {
      const { database, storage, worker, job } = await open(['The harbour.'])
      const [second, third] = [await database.open(), await database.open()]
      await worker.plan()
      await worker.embed()
      const [reading, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      onTestFinished(() => released.resolve())
      const [{ name } = { name: '' }] = await storage.db
        .selectFrom('vector_sets')
        .select('name')
        .where('state', '=', 'building')
        .execute()
      const holding = inTx(third, async (tx) => {
        await sql`lock table ${sql.table(name)} in exclusive mode`.execute(tx)
        reading.resolve()
        await released.promise
      })
      await reading.promise
      const stop = new AbortController()
      const building = second.hidden.buildIndex(job.id, stop.signal)
      const another = storage.hidden.buildIndex(job.id, stop.signal)
      const refused = Promise.all([
        expect(building).rejects.toThrow('stopped'),
        expect(another).rejects.toThrow('stopped'),
      ])
      await expect
        .poll(async () => {
          const { rows } = await sql`select pid from pg_stat_activity
            where wait_event_type = 'Lock' and datname = current_database() and query like 'create index%'`.execute(
            storage.db,
          )
          return rows.length
        })
        .toBe(1)
      stop.abort(new Error('stopped'))
      await refused
      released.resolve()
      await holding
      expect(await worker.takeOver()).toEqual({ completed: true })
    })

    // SQLite has one writer at a time.
    it.runIf(dialect.name === 'postgres')('waits for a transaction that is adding a passage', async () => {
      const { database, storage, worker } = await open(['The harbour.'])
      const [second, third] = [await database.open(), await database.open()]
      await worker.plan()
      await worker.embed()
      const [locked, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      onTestFinished(() => released.resolve())
      const holding = inTx(third, async (tx) => {
        await sql`lock table chunk_words in exclusive mode`.execute(tx)
        locked.resolve()
        await released.promise
      })
      const waiting = async (count: number) =>
        expect
          .poll(async () => {
            const { rows } =
              await sql`select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`.execute(
                storage.db,
              )
            return rows.length
          })
          .toBe(count)
      await locked.promise
      const adding = write(second, old, 'doc_b', ['A passage that is just being added.'])
      await waiting(1)
      const taking = worker.takeOver()
      await waiting(2)
      released.resolve()
      await Promise.all([holding, adding])
      expect(await taking).toEqual({ completed: false })
    })

    it('goes on after a crash where its vectors are stored, and asks for none of them again', async () => {
      const { storage, other, worker, job } = await open()
      let requests = 0
      other.before = () => {
        requests += 1
        if (requests > 4) throw new ProviderFailure('retry', 'gone', { provider: 'openai' })
      }
      await worker.plan()
      await expect(worker.embed()).rejects.toThrow('could not be reached')
      expect(other.asked.toSorted()).toEqual(TEXTS.slice(0, 256).toSorted())
      await inTx(storage, (tx) => finishJob(tx, { job_id: job.id, run: 1, status: 'failed' }))
      expect(await find(storage, other, 'ferry number 7')).toContain(TEXTS[7])
      other.before = () => undefined
      await inTx(storage, (tx) => reviveJob(tx, job.id))
      await worker.claim(2)
      expect(await worker.plan(2)).toEqual({ chunks: TEXTS.length })
      // Two attempts at once, as after a suspension: each chunk is stored once.
      await Promise.all([worker.embed(2), worker.embed(2)])
      expect(await worker.takeOver(2)).toEqual({ completed: true })
      expect(new Set(other.asked).size).toBe(TEXTS.length)
      expect(other.asked.slice(256).filter((text) => TEXTS.indexOf(text) < 256)).toEqual([])
      expect(await missing(storage)).toBe(0)
      // The reply of the activity was lost.
      expect(await worker.takeOver(2)).toEqual({ completed: true })
    })

    it('leaves the former vectors alone when it is cancelled, also just before the switch', async () => {
      const { storage, other, worker, job } = await open()
      await worker.plan()
      await worker.embed()
      await requestStop(storage.db, 'job', job.id)
      await expect(worker.takeOver()).rejects.toThrow('A newer attempt has begun')
      await inTx(storage, (tx) => finishJob(tx, { job_id: job.id, run: 1, status: 'cancelled' }))
      expect((await sets(storage)).map(({ state }) => state)).toEqual(['serving', 'old'])
      expect(await worker.removeOld()).toEqual({ removed: 1 })
      expect((await sets(storage)).map(({ model }) => model)).toEqual([old.model])
      expect(await find(storage, other, 'ferry number 7')).toContain(TEXTS[7])
      // A worker of the cancelled run changes nothing.
      await expect(worker.embed()).rejects.toThrow('A newer attempt has begun')
      await inTx(storage, (tx) => reviveJob(tx, job.id))
      await worker.claim(2)
      await worker.plan(2)
      await worker.embed(2)
      expect(await worker.takeOver(2)).toEqual({ completed: true })
      expect(new Set(other.asked).size).toBe(other.asked.length)
    })

    it('finds a text by its words that the embedding server refuses, and fails when it refuses all', async () => {
      const { storage, other, worker } = await open(['A fine text.', 'A refused text.'])
      const refusal = new ProviderFailure('final', 'no', { provider: 'openai', status: 400 })
      other.before = () => {
        throw refusal
      }
      await worker.plan()
      await expect(worker.embed()).rejects.toThrow('answered 400')
      other.before = (texts) => {
        if (texts.some((text) => text.includes('refused'))) throw refusal
      }
      await worker.embed()
      await worker.takeOver()
      expect(await missing(storage)).toBe(1)
      const query = { model: other.model, agent_id: 'agent', scopes: [''], vector: new Float32Array(96), top_k: 3 }
      const hits = await storage.vectors.search({ ...query, text: 'refused' })
      expect(hits.map(({ content }) => content)).toEqual(['A refused text.'])
    })

    it('has one such job at a time, and gives up vectors of a model that is no longer wanted', async () => {
      const { storage, other, worker, job } = await open(['The harbour.'])
      await expect(inTx(storage, (tx) => insertReembed(tx, 'x', 'key'))).rejects.toMatchObject({ code: 'conflict' })
      await worker.plan()
      await inTx(storage, (tx) => finishJob(tx, { job_id: job.id, run: 1, status: 'failed' }))
      const third = new Other(48)
      const next = await inTx(storage, (tx) => insertReembed(tx, third.model, 'key'))
      const again = workerOf(storage, third, next)
      await again.claim()
      await again.plan()
      expect((await sets(storage)).map(({ model, state }) => [model, state])).toEqual([
        [old.model, 'serving'],
        [other.model, 'old'],
        [third.model, 'building'],
      ])
      await again.embed()
      await again.takeOver()
      expect(await again.removeOld()).toEqual({ removed: 2 })
      expect(await find(storage, third, 'harbour')).toEqual(['The harbour.'])
    })

    it('makes new vectors of the same model, too', async () => {
      const { storage, job } = await open(['The harbour.'])
      await inTx(storage, (tx) => finishJob(tx, { job_id: job.id, run: 1, status: 'failed' }))
      const same = await inTx(storage, (tx) => insertReembed(tx, old.model, 'key'))
      const worker = workerOf(storage, old, same)
      await worker.claim()
      await worker.plan()
      await worker.embed()
      await worker.takeOver()
      await worker.removeOld()
      expect(await find(storage, old, 'harbour')).toEqual(['The harbour.'])
      await write(storage, old, 'doc_b', ['A lighthouse.'])
      expect(await find(storage, old, 'lighthouse')).toEqual(['A lighthouse.'])
      await storage.vectors.discard('doc_b')
      expect(await missing(storage)).toBe(0)
    })

    it('finds by words when the model of the index cannot be asked', async () => {
      const { storage, other } = await open(['The harbour master.', 'A lighthouse.'])
      const index = indexOf(storage, other, [])
      const { hasVectors, embedder } = await index.serving()
      expect([hasVectors, embedder.model]).toEqual([false, old.model])
      await write(storage, other, 'doc_b', ['A second harbour.'])
      const [vector] = await embedder.embed(['harbour'], signal)
      const query = { model: old.model, agent_id: 'agent', scopes: [''], text: 'harbour', vector: vector!, top_k: 3 }
      const hits = await storage.vectors.search(query)
      expect(hits.map(({ content }) => content).toSorted()).toEqual(['A second harbour.', 'The harbour master.'])
    })
  })
}
