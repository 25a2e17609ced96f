// Writers of an index whose embedding model is about to be changed: they wait by the database's clock, and not without limit.
import { expect, it, onTestFinished, vi } from 'vitest'
import { differencesOf } from '../../db/dialect.ts'
import type { Db } from '../../db/schema.ts'
import type { VectorDialect } from '../../vectors/dialect.ts'
import { SqlVectorStore } from '../../vectors/sql-vector-store.ts'
import { dialects } from '../support/dialects.ts'

const model = { model: 'm', dimension: 8 }
const vector = Float32Array.from({ length: 8 }, () => 1)
const document = { model: 'm', agent_id: 'agent', scope: '', document_id: 'doc', generation: 1 }
/** Adds nothing but asks whether it may. */
const claimOnly = (db: Db) =>
  ({
    addChunks: async (_db, _document, _chunks, claim) => {
      await db.transaction().execute((tx) => claim(tx))
    },
  }) as Partial<VectorDialect> as VectorDialect

for (const dialect of dialects)
  it(`on ${dialect.name} an index is closed by the database's clock, and writers give up at their limit or when they are stopped`, async () => {
    const { db, vectors } = await (await dialect.fresh()).open()
    await vectors.serving(model)
    const chunks = [{ text: 'a', page: 1, position: 0, vector }]
    const add = (limitMs: number, signal?: AbortSignal) =>
      new SqlVectorStore(db, claimOnly(db), limitMs).addChunks(document, chunks, signal)
    const closeFor = (ms: number) =>
      db
        .updateTable('collections')
        .set({ closed_until: differencesOf(db).timeIn(ms) })
        .execute()
    const closed = 'Cannot add to the index: its embedding model is about to be changed'
    onTestFinished(() => void vi.useRealTimers())

    await closeFor(60_000)
    await expect(add(0)).rejects.toThrow(closed)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 })
    await expect(add(0)).rejects.toThrow(closed)
    const stop = new AbortController()
    const waiting = add(3_600_000, stop.signal)
    stop.abort(new Error('the worker stops'))
    await expect(waiting).rejects.toThrow('the worker stops')
    await closeFor(-1)
    vi.setSystemTime(Date.now() - 7_200_000)
    await add(0)
    await closeFor(300)
    await add(30_000)
  })
