// Vectors in sqlite-vec and words in FTS5, in the same file as everything else.
import { setImmediate as yieldToOthers } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Db, Tx } from '../schema.ts'
import { Collections } from './collections.ts'
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
  readonly #collections: Collections

  constructor(db: Db) {
    this.#db = db
    this.#collections = new Collections(db, createTable)
  }

  ensureCollection(collection: CollectionSpec): Promise<void> {
    return this.#collections.ensure(collection)
  }

  async addChunks(document: DocumentGeneration, chunks: VectorChunk[]): Promise<void> {
    await this.#collections.checkAdded(
      document.collection,
      chunks.map(({ vector }) => vector),
    )
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
    const collection = await this.#collections.findForSearch(query.collection, query.vector)
    if (!collection) return []
    const spaces = query.scopes.map((scope) => spaceOf(query.collection, query.agent_id, scope))
    return searchSqlite(this.#db, vectorTable(collection.dimension), spaces, query)
  }

  async #remove(documentId: string, concerns: (generation: number) => boolean): Promise<void> {
    const all = this.#db.selectFrom('chunks').where('document_id', '=', documentId)
    const generations = await all.select('generation').distinct().execute()
    for (const { generation } of generations.filter((each) => concerns(each.generation))) {
      const chunks = await all.select(['id', 'collection_id']).where('generation', '=', generation).execute()
      const dimensions = new Map<string, number>()
      for (const id of new Set(chunks.map((chunk) => chunk.collection_id)))
        dimensions.set(id, (await this.#collections.getOrThrow(id)).dimension)
      await this.#inSmallTransactions(chunks, (tx, chunk) =>
        removeChunk(tx, chunk.id, dimensions.get(chunk.collection_id)!),
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

async function createTable(tx: Tx, dimension: number): Promise<void> {
  await sql`create virtual table if not exists ${sql.table(vectorTable(dimension))} using vec0(
    space text partition key, embedding float[${sql.lit(dimension)}], chunk_size=${sql.lit(VECTORS_A_BLOCK)})`.execute(
    tx,
  )
}
