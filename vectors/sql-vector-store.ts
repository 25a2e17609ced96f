// The vector store in the main database: the part that SQLite and Postgres share.
import { AUTO } from '../contracts/routing.ts'
import { sql, type RawBuilder } from 'kysely'
import type { Db, Tx } from '../db/schema.ts'
import { Collections } from './collections.ts'
import { enterDocument, spaceOf, vectorTable } from './documents.ts'
import type { CollectionSpec, DocumentGeneration, Hit, VectorChunk, VectorQuery, VectorStore } from './store.ts'

/** The dialect-specific operations. */
export interface VectorDialect {
  /** Creates the table for vectors of a dimension, unless it exists. */
  createTable(tx: Tx, dimension: number): Promise<void>
  /** Adds missing chunks, in short transactions. */
  addChunks(db: Db, document: DocumentGeneration, space: string, chunks: VectorChunk[]): Promise<void>
  /** Removes chunks of a document with their vectors and words. @param concerned condition on chunks */
  removeChunks(db: Db, documentId: string, concerned: RawBuilder<boolean>): Promise<void>
  search(db: Db, table: string, spaces: string[], query: VectorQuery): Promise<Hit[]>
}

export class SqlVectorStore implements VectorStore {
  readonly #db: Db
  readonly #dialect: VectorDialect
  readonly #collections: Collections

  constructor(db: Db, dialect: VectorDialect) {
    this.#db = db
    this.#dialect = dialect
    this.#collections = new Collections(db, (tx, dimension) => dialect.createTable(tx, dimension))
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
    await this.#dialect.addChunks(this.#db, document, space, chunks)
  }

  async publish(documentId: string, generation: number): Promise<void> {
    // A superseded run of an older generation changes nothing.
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
    if (shown?.generation) await this.#dialect.removeChunks(this.#db, documentId, sql`generation < ${shown.generation}`)
  }

  async discard(documentId: string, generation?: number): Promise<void> {
    // The document is hidden at once, its chunks are deleted afterwards.
    if (generation === undefined) await this.#db.deleteFrom('documents').where('id', '=', documentId).execute()
    else
      await this.#db
        .updateTable('documents')
        .set({ generation: null })
        .where('id', '=', documentId)
        .where('generation', '=', generation)
        .execute()
    const concerned = generation === undefined ? sql<boolean>`true` : sql<boolean>`generation = ${generation}`
    await this.#dialect.removeChunks(this.#db, documentId, concerned)
  }

  async search(query: VectorQuery): Promise<Hit[]> {
    const collection = await this.#collections.findForSearch(query.collection, query.vector)
    if (!collection) return []
    // Files of a conversation with the orchestrator are for every agent.
    const spaces = query.scopes.flatMap((scope) =>
      [query.agent_id, ...(scope === '' ? [] : [AUTO])].map((agent) => spaceOf(query.collection, agent, scope)),
    )
    return this.#dialect.search(this.#db, vectorTable(collection.dimension), spaces, query)
  }
}
