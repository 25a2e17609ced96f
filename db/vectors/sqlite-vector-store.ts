// Vectors in sqlite-vec and words in FTS5, in the same file as everything else.
import { setImmediate as yieldToOthers } from 'node:timers/promises'
import { sql } from 'kysely'
import type { CollectionsTable, Db, Tx } from '../schema.ts'
import { enterDocument, spaceOf, vectorTable } from './documents.ts'
import { addChunk, removeChunk } from './sqlite-chunks.ts'
import { searchSqlite } from './sqlite-search.ts'
import type { CollectionSpec, DocumentGeneration, Hit, VectorChunk, VectorQuery, VectorStore } from './vector-store.ts'

/** Longest transaction, in milliseconds: a chat's write may have to wait for so long. */
const TRANSACTION_MS = 5
/** Vectors that sqlite-vec keeps in one block; a space takes at least one block. */
const VECTORS_A_BLOCK = 256

export class SqliteVectorStore implements VectorStore {
  readonly #db: Db
  readonly #collections = new Map<string, CollectionsTable>()

  constructor(db: Db) {
    this.#db = db
  }

  async ensureCollection({ id, model, dimension }: CollectionSpec): Promise<void> {
    const found = (await this.#find(id)) ?? (await this.#create({ id, model, dimension }))
    if (found.model === model && found.dimension === dimension) return
    throw new Error(
      `Cannot use collection '${id}' with '${model}' (${dimension} dimensions): it holds vectors of '${found.model}' (${found.dimension})`,
    )
  }

  async addChunks(document: DocumentGeneration, chunks: VectorChunk[]): Promise<void> {
    const { dimension } = await this.#getOrThrow(document.collection)
    for (const { vector } of chunks) {
      if (vector.length !== dimension)
        throw new Error(
          `Cannot add to '${document.collection}': vectors must have ${dimension} dimensions, got ${vector.length}`,
        )
    }
    await this.#db.transaction().execute((tx) => enterDocument(tx, document))
    const space = spaceOf(document.collection, document.agent_id, document.scope)
    await this.#inSmallTransactions(chunks, (tx, chunk) => addChunk(tx, document, space, chunk))
  }

  async publish(documentId: string, generation: number): Promise<void> {
    // A late run of an older generation changes nothing.
    await this.#db
      .updateTable('documents')
      .set({ generation })
      .where('id', '=', documentId)
      .where((is) => is.or([is('generation', 'is', null), is('generation', '<', generation)]))
      .execute()
    const shown = await this.#db
      .selectFrom('documents')
      .select('generation')
      .where('id', '=', documentId)
      .executeTakeFirst()
    await this.#remove(documentId, (each) => each < (shown?.generation ?? 0))
  }

  async discard(documentId: string, generation?: number): Promise<void> {
    // What is shown disappears at once, its chunks after that.
    if (generation === undefined) await this.#db.deleteFrom('documents').where('id', '=', documentId).execute()
    else
      await this.#db
        .updateTable('documents')
        .set({ generation: null })
        .where('id', '=', documentId)
        .where('generation', '=', generation)
        .execute()
    await this.#remove(documentId, (each) => generation === undefined || each === generation)
  }

  async search(query: VectorQuery): Promise<Hit[]> {
    const collection = await this.#find(query.collection)
    if (!collection) return []
    if (query.vector.length !== collection.dimension)
      throw new Error(
        `Cannot search '${query.collection}': the vector must have ${collection.dimension} dimensions, got ${query.vector.length}`,
      )
    const spaces = query.scopes.map((scope) => spaceOf(query.collection, query.agent_id, scope))
    return searchSqlite(this.#db, vectorTable(collection.dimension), spaces, query)
  }

  async #find(id: string): Promise<CollectionsTable | undefined> {
    const known = this.#collections.get(id)
    if (known) return known
    const found = await this.#db.selectFrom('collections').selectAll().where('id', '=', id).executeTakeFirst()
    if (found) this.#collections.set(id, found)
    return found
  }

  async #getOrThrow(id: string): Promise<CollectionsTable> {
    const found = await this.#find(id)
    if (!found) throw new Error(`Cannot find collection '${id}'`)
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
      await sql`create virtual table if not exists ${sql.table(vectorTable(collection.dimension))} using vec0(
        space text partition key, embedding float[${sql.lit(collection.dimension)}], chunk_size=${sql.lit(VECTORS_A_BLOCK)})`.execute(
        tx,
      )
    })
    return this.#getOrThrow(collection.id)
  }

  async #remove(documentId: string, concerns: (generation: number) => boolean): Promise<void> {
    const all = this.#db.selectFrom('chunks').where('document_id', '=', documentId)
    const generations = await all.select('generation').distinct().execute()
    for (const { generation } of generations.filter((each) => concerns(each.generation))) {
      const chunks = await all.select(['id', 'collection_id']).where('generation', '=', generation).execute()
      for (const id of new Set(chunks.map((chunk) => chunk.collection_id))) await this.#getOrThrow(id)
      await this.#inSmallTransactions(chunks, (tx, chunk) =>
        removeChunk(tx, chunk.id, this.#collections.get(chunk.collection_id)!.dimension),
      )
    }
  }

  async #inSmallTransactions<T>(items: T[], act: (tx: Tx, item: T) => Promise<void>): Promise<void> {
    for (let next = 0; next < items.length;) {
      const from = next
      next = await this.#db.transaction().execute(async (tx) => {
        const start = performance.now()
        let done = from
        while (done < items.length && performance.now() - start < TRANSACTION_MS) await act(tx, items[done++]!)
        return done
      })
      await yieldToOthers()
    }
  }
}
