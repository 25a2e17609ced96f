// The registry of collections of both SQL stores: model and dimension of each, and the table for it.
import type { CollectionsTable, Db, Tx } from '../db/schema.ts'
import type { CollectionSpec } from './store.ts'

export class Collections {
  readonly #db: Db
  readonly #createTable: (tx: Tx, dimension: number) => Promise<void>
  readonly #known = new Map<string, CollectionsTable>()

  /** @param createTable creates the table for vectors of a dimension, unless it exists */
  constructor(db: Db, createTable: (tx: Tx, dimension: number) => Promise<void>) {
    this.#db = db
    this.#createTable = createTable
  }

  /** Creates the collection once. @throws Error when it holds vectors of another model or dimension */
  async ensure({ id, model, dimension }: CollectionSpec): Promise<void> {
    const found = (await this.find(id)) ?? (await this.#create({ id, model, dimension }))
    if (found.model === model && found.dimension === dimension) return
    throw new Error(
      `Cannot use collection '${id}' with '${model}' (${dimension} dimensions): it holds vectors of '${found.model}' (${found.dimension})`,
    )
  }

  async find(id: string): Promise<CollectionsTable | undefined> {
    const known = this.#known.get(id)
    if (known) return known
    const found = await this.#db.selectFrom('collections').selectAll().where('id', '=', id).executeTakeFirst()
    if (found) this.#known.set(id, found)
    return found
  }

  async getOrThrow(id: string): Promise<CollectionsTable> {
    const found = await this.find(id)
    if (!found) throw new Error(`Cannot find collection '${id}'`)
    return found
  }

  /** @throws Error when a vector does not match the collection's dimension */
  async checkAdded(id: string, vectors: Float32Array[]): Promise<void> {
    const { dimension } = await this.getOrThrow(id)
    for (const { length } of vectors) {
      if (length !== dimension)
        throw new Error(`Cannot add to '${id}': vectors must have ${dimension} dimensions, got ${length}`)
    }
  }

  /** The collection to search, if it exists. @throws Error when the vector does not match its dimension */
  async findForSearch(id: string, vector: Float32Array): Promise<CollectionsTable | undefined> {
    const found = await this.find(id)
    if (found && vector.length !== found.dimension)
      throw new Error(`Cannot search '${id}': the vector must have ${found.dimension} dimensions, got ${vector.length}`)
    return found
  }

  async #create(collection: CollectionSpec): Promise<CollectionsTable> {
    await this.#db.transaction().execute(async (tx) => {
      const created_at = new Date().toISOString()
      await tx
        .insertInto('collections')
        .values({ ...collection, created_at })
        .onConflict((c) => c.doNothing())
        .execute()
      await this.#createTable(tx, collection.dimension)
    })
    return this.getOrThrow(collection.id)
  }
}
