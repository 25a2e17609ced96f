// A set of vectors of another model, hidden beside the one that searches use: filled in batches of chunks, oldest first, then it
// takes the other's place in one transaction (decision 062).
import type { Selectable } from 'kysely'
import { differencesOf } from '../db/dialect.ts'
import type { Db, Tx, VectorSetsTable } from '../db/schema.ts'
import { lockServing, nameNewTable } from './collections.ts'
import { spaceOf } from './documents.ts'
import type { VectorDialect } from './dialect.ts'
import { VectorsMismatch, type VectorModel } from './store.ts'

/** Vectors per transaction: writes of chats wait for it. */
const VECTORS_A_TRANSACTION = 32

/** With at most so many chunks to embed before the switch, no others are added. */
const FEW_CHUNKS = 512
/** For how long, in milliseconds: so long do writers wait when the job dies just then. */
const CLOSED_MS = 5_000

/** How far a set is, in chunks. */
export interface Filled {
  done: number
  total: number
  refused: number
}

/** A chunk that is to be embedded. */
export interface HiddenChunk {
  id: number
  text: string
  space: string
}

/** The next chunks of a set, after those that have been embedded. */
export interface NextChunks {
  /** The last chunk before them. */
  after: number
  chunks: HiddenChunk[]
}

/** Of Postgres. */
const LOCK_NOT_AVAILABLE = '55P03'

type HiddenDialect = Pick<VectorDialect, 'createTable' | 'buildIndex' | 'dropTable' | 'addVectors'>

export class HiddenVectors {
  readonly #db: Db
  readonly #dialect: HiddenDialect

  constructor(db: Db, dialect: HiddenDialect) {
    this.#db = db
    this.#dialect = dialect
  }

  /**
   * Begins a set of a model for a job, or goes on with the one that an earlier job has left. One of another model is given up, and
   * one of the model that serves: its vectors are made again because the model may have changed under its name.
   */
  async begin(jobId: string, { model, dimension }: VectorModel): Promise<Filled> {
    return this.#db.transaction().execute(async (tx) => {
      // Every chunk with an id up to the highest is committed, because transactions that add some hold this lock.
      const serving = await lockServing(tx)
      const found = await tx.selectFrom('vector_sets').selectAll().where('state', '=', 'building').execute()
      const isAgain = serving.model === model
      let set = found.find(
        (each) => each.model === model && each.dimension === dimension && (!isAgain || each.job_id === jobId),
      )
      for (const { name } of found.filter((each) => each !== set)) await discard(tx, name)
      if (!set) {
        const name = await nameNewTable(tx, dimension)
        await this.#dialect.createTable(tx, name, dimension, 'later')
        const created_at = new Date().toISOString()
        const row = { name, model, dimension, state: 'building' as const, job_id: jobId, created_at }
        set = await tx.insertInto('vector_sets').values(row).returningAll().executeTakeFirstOrThrow()
      }
      const upto = await lastChunk(tx)
      await tx.updateTable('vector_sets').set({ job_id: jobId, upto }).where('name', '=', set.name).execute()
      return filledOf(tx, { ...set, upto })
    })
  }

  /** Whether a job has begun to fill its set. */
  async hasBegun(jobId: string): Promise<boolean> {
    return (await findBuilding(this.#db, jobId).executeTakeFirst()) !== undefined
  }

  /** The next chunks of the job's set; none when all that it knew of are embedded. Undefined when it has no set. */
  async next(jobId: string, limit: number): Promise<NextChunks | undefined> {
    const set = await findBuilding(this.#db, jobId).executeTakeFirst()
    if (!set) return undefined
    const rows = await this.#db
      .selectFrom('chunks')
      .leftJoin('documents', 'documents.id', 'chunks.document_id')
      .select(['chunks.id', 'chunks.content', 'collection_id', 'agent_id', 'scope'])
      .where('chunks.id', '>', Number(set.last_chunk))
      .where('chunks.id', '<=', Number(set.upto))
      .orderBy('chunks.id')
      .limit(limit)
      .execute()
    const chunks = rows.map(({ id, content: text, collection_id, agent_id, scope }) => {
      // One whose document is removed is about to be removed itself, and finds nothing.
      return { id: Number(id), text, space: spaceOf(collection_id, agent_id ?? '', scope ?? '') }
    })
    return { after: Number(set.last_chunk), chunks }
  }

  /**
   * Stores the vectors of the next chunks, in short transactions: what is stored before a crash is not embedded again.
   * @param vectors one for each chunk; undefined: refused by the embedding server
   * @param guard throws when the job no longer owns the set
   * @returns false when another attempt was faster
   * @throws VectorsMismatch
   */
  async store(
    jobId: string,
    { after, chunks }: NextChunks,
    vectors: readonly (Float32Array | undefined)[],
    guard: (tx: Tx) => Promise<void>,
  ): Promise<boolean> {
    let before = after
    for (let from = 0; from < chunks.length; from += VECTORS_A_TRANSACTION) {
      const some = chunks.slice(from, from + VECTORS_A_TRANSACTION)
      const made = some.map((chunk, index) => ({ ...chunk, vector: vectors[from + index] }))
      const last = some.at(-1)!.id
      const isOurs = await this.#db.transaction().execute(async (tx) => {
        await guard(tx)
        const set = await findBuilding(tx, jobId).forUpdate().executeTakeFirst()
        if (!set || Number(set.last_chunk) !== before) return false
        const given = made.flatMap(({ vector, ...chunk }) => (vector ? [{ ...chunk, vector }] : []))
        for (const { vector } of given)
          if (vector.length !== set.dimension)
            throw new VectorsMismatch('add to the new vectors', set, { model: set.model, dimension: vector.length })
        const left = new Set(await lockChunks(tx, some))
        await this.#dialect.addVectors(
          tx,
          set.name,
          given.filter(({ id }) => left.has(id)),
        )
        await tx
          .updateTable('vector_sets')
          .set({
            last_chunk: last,
            done: set.done + some.length,
            refused: set.refused + some.length - given.length,
          })
          .where('name', '=', set.name)
          .execute()
        return true
      })
      if (!isOurs) return false
      before = last
    }
    return true
  }

  /** How far the job's set is; undefined when it has none. */
  async filled(jobId: string): Promise<Filled | undefined> {
    const set = await findBuilding(this.#db, jobId).executeTakeFirst()
    return set && filledOf(this.#db, set)
  }

  /** Indexes the job's set, which is full but for chunks that are added meanwhile. @throws the signal's reason */
  async buildIndex(jobId: string, signal: AbortSignal): Promise<void> {
    const set = await findBuilding(this.#db, jobId).executeTakeFirst()
    if (set) await this.#dialect.buildIndex(set.name, set.dimension, signal)
  }

  /**
   * Makes the job's set the one that searches use, unless chunks were added since it was last looked: these come first.
   * @param complete part of the same transaction
   * @returns undefined when there are more chunks, or the job has no set
   */
  async takeOver<T>(
    jobId: string,
    complete: (tx: Tx, set: VectorModel & Filled) => Promise<T>,
  ): Promise<{ completed: T } | undefined> {
    return this.#db.transaction().execute(async (tx) => {
      await lockServing(tx)
      const set = await findBuilding(tx, jobId).forUpdate().executeTakeFirst()
      if (!set) return undefined
      const upto = await lastChunk(tx)
      if (upto > Number(set.last_chunk)) {
        await tx.updateTable('vector_sets').set({ upto }).where('name', '=', set.name).execute()
        const { done, total } = await filledOf(tx, { ...set, upto })
        // Else a writer that is as fast as the job would postpone the switch without a limit.
        if (total - done <= FEW_CHUNKS) await close(tx, CLOSED_MS)
        return undefined
      }
      const { name, model, dimension } = set
      await tx.updateTable('vector_sets').set({ state: 'old' }).where('name', '<>', name).execute()
      await tx.updateTable('vector_sets').set({ state: 'serving' }).where('name', '=', name).execute()
      // Of every collection: chunks that a change of the model had left behind are found again.
      await tx.updateTable('collections').set({ model, dimension, vectors: name, closed_until: null }).execute()
      return { completed: await complete(tx, { model, dimension, ...(await filledOf(tx, set)) }) }
    })
  }

  /**
   * Removes the sets that nothing uses any more, one a transaction. A table is dropped as a whole: 50,000 vectors of SQLite take
   * 8 ms, 500 of them row by row 28 ms.
   * @returns how many were removed
   */
  async removeOld(signal: AbortSignal): Promise<number> {
    let removed = 0
    const old = await this.#db.selectFrom('vector_sets').select('name').where('state', '=', 'old').execute()
    for (const { name } of old) {
      signal.throwIfAborted()
      try {
        removed += await this.#db.transaction().execute(async (tx) => {
          await this.#dialect.dropTable(tx, name)
          const { numDeletedRows } = await tx.deleteFrom('vector_sets').where('name', '=', name).executeTakeFirst()
          return Number(numDeletedRows)
        })
      } catch (error) {
        // It is in use by a long transaction: the sweeper removes it later.
        if ((error as { code?: unknown }).code !== LOCK_NOT_AVAILABLE) throw error
      }
    }
    return removed
  }
}

function findBuilding(db: Db | Tx, jobId: string) {
  return db.selectFrom('vector_sets').selectAll().where('state', '=', 'building').where('job_id', '=', jobId)
}

function close(tx: Tx, ms: number) {
  const closed_until = differencesOf(tx).timeIn(ms)
  return tx.updateTable('collections').set({ closed_until }).where('serves', '=', 1).execute()
}

async function discard(tx: Tx, name: string): Promise<void> {
  await tx.updateTable('vector_sets').set({ state: 'old' }).where('name', '=', name).execute()
}

async function lastChunk(tx: Tx): Promise<number> {
  const { last } = await tx
    .selectFrom('chunks')
    .select((eb) => eb.fn.max('id').as('last'))
    .executeTakeFirstOrThrow()
  return Number(last ?? 0)
}

async function filledOf(
  db: Db | Tx,
  { done, refused, last_chunk, upto }: Selectable<VectorSetsTable>,
): Promise<Filled> {
  const { left } = await db
    .selectFrom('chunks')
    .select((eb) => eb.fn.countAll().as('left'))
    .where('id', '>', Number(last_chunk))
    .where('id', '<=', Number(upto))
    .executeTakeFirstOrThrow()
  return { done, refused, total: done + Number(left) }
}

/** Of the chunks, those that still exist: they cannot be removed until the transaction ends. */
async function lockChunks(tx: Tx, chunks: readonly HiddenChunk[]): Promise<number[]> {
  const rows = await tx
    .selectFrom('chunks')
    .select('id')
    .where(
      'id',
      'in',
      chunks.map(({ id }) => id),
    )
    .orderBy('id')
    .forKeyShare()
    .execute()
  return rows.map(({ id }) => Number(id))
}
