// What the vectors of the index are made with: its collections and their set of vectors, in both SQL stores.
import { sql } from 'kysely'
import { differencesOf } from '../db/dialect.ts'
import type { CollectionsTable, Db, Tx } from '../db/schema.ts'
import type { VectorDialect } from './dialect.ts'
import { vectorTable } from './documents.ts'
import { VectorsMismatch, type ServingModel, type VectorModel } from './store.ts'

/** Of new databases. */
const COLLECTION = 'main'

export interface Serving extends ServingModel {
  /** The table of its vectors. */
  table: string
  /** The collections whose chunks have vectors in it. */
  collections: string[]
}

export class Collections {
  readonly #db: Db
  readonly #dialect: Pick<VectorDialect, 'createTable'>
  #known: Serving | undefined

  constructor(db: Db, dialect: Pick<VectorDialect, 'createTable'>) {
    this.#db = db
    this.#dialect = dialect
  }

  /** The next call reads what serves. */
  forget(): void {
    this.#known = undefined
  }

  /** What serves, perhaps as it was before another process changed it. A new or empty index takes the given model. */
  async serving(configured: VectorModel): Promise<Serving> {
    const known = this.#known ?? (await this.#read())
    if (known && (known.model === configured.model || (await this.#hasChunks()))) return known
    await this.#db.transaction().execute((tx) => this.#adopt(tx, configured))
    return (await this.#read())!
  }

  /** The same for vectors of a model. @throws VectorsMismatch when others serve */
  async servingOf(what: string, given: VectorModel): Promise<Serving | undefined> {
    const known = this.#known?.model === given.model ? this.#known : await this.#read()
    if (known) check(what, known, given)
    return known
  }

  /** @throws VectorsMismatch when something else serves by now */
  async checkStill(what: string, before: Serving, given: VectorModel): Promise<void> {
    const now = await this.#read()
    if (now?.table !== before.table || now.model !== before.model) throw new VectorsMismatch(what, now ?? before, given)
  }

  /**
   * What serves until the transaction ends: a change of the model waits for it.
   * @throws VectorsMismatch when it is not the given model, IndexClosed when it is about to be changed
   */
  async claim(tx: Tx, what: string, given: VectorModel): Promise<CollectionsTable> {
    const row = await tx
      .selectFrom('collections')
      .selectAll()
      .select(sql<number | boolean>`closed_until > ${differencesOf(tx).timeIn(0)}`.as('is_closed'))
      .where('serves', '=', 1)
      .forKeyShare()
      .executeTakeFirstOrThrow()
    if (row.vectors !== this.#known?.table || row.model !== this.#known.model) this.forget()
    check(what, row, given)
    if (row.is_closed) throw new IndexClosed()
    return row
  }

  async #read(): Promise<Serving | undefined> {
    const rows = await this.#db.selectFrom('collections').selectAll().execute()
    const main = rows.find(({ serves }) => serves === 1)
    if (!main) return undefined
    const { id, model, dimension, vectors: table } = main
    const collections = rows.filter((row) => row.vectors === table && row.model === model).map((row) => row.id)
    return (this.#known = { collection: id, model, dimension, table, collections })
  }

  async #hasChunks(): Promise<boolean> {
    return (await this.#db.selectFrom('chunks').select('id').limit(1).executeTakeFirst()) !== undefined
  }

  /** Makes the index with the model, unless it has chunks. */
  async #adopt(tx: Tx, { model, dimension }: VectorModel): Promise<void> {
    const created_at = new Date().toISOString()
    await tx
      .insertInto('collections')
      .values({ id: COLLECTION, model: '', dimension: 0, vectors: '', serves: 1, closed_until: null, created_at })
      .onConflict((c) => c.doNothing())
      .execute()
    const before = await lockServing(tx)
    if (before.model === model && before.dimension === dimension) return
    if (await tx.selectFrom('chunks').select('id').limit(1).executeTakeFirst()) return
    const table = await nameNewTable(tx, dimension)
    await this.#dialect.createTable(tx, table, dimension, 'at once')
    await tx.updateTable('vector_sets').set({ state: 'old' }).where('name', '=', before.vectors).execute()
    await tx
      .insertInto('vector_sets')
      .values({ name: table, model, dimension, state: 'serving', job_id: null, created_at })
      .execute()
    await tx.updateTable('collections').set({ model, dimension, vectors: table }).execute()
  }
}

/** The index rejects writes until `closed_until`: its model is about to be changed. */
export class IndexClosed extends Error {
  override readonly name = 'IndexClosed'

  constructor() {
    super('Cannot add to the index: its embedding model is about to be changed')
  }
}

/** The serving collection, locked: no chunk is added until the transaction ends. */
export function lockServing(tx: Tx): Promise<CollectionsTable> {
  return tx.selectFrom('collections').selectAll().where('serves', '=', 1).forUpdate().executeTakeFirstOrThrow()
}

/** A name that no set has: each has a table of its own, also with the same dimension. */
export async function nameNewTable(tx: Tx, dimension: number): Promise<string> {
  const rows = await tx.selectFrom('vector_sets').select('name').execute()
  const first = vectorTable(dimension)
  if (!rows.some(({ name }) => name === first)) return first
  return `${first}_${Date.now().toString(36)}`
}

function check(what: string, has: VectorModel, got: VectorModel): void {
  if (has.model !== got.model || has.dimension !== got.dimension) throw new VectorsMismatch(what, has, got)
}
