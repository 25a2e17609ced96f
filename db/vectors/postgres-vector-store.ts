// Vectors in pgvector and words in tsvectors, in the same database as everything else.
import { sql, type RawBuilder } from 'kysely'
import { differencesOf } from '../dialect.ts'
import type { Db, Tx } from '../schema.ts'
import { Collections } from './collections.ts'
import { enterDocument, spaceOf, vectorTable } from './documents.ts'
import { addSomeChunks } from './postgres-chunks.ts'
import { searchPostgres } from './postgres-search.ts'
import type { CollectionSpec, DocumentGeneration, Hit, VectorChunk, VectorQuery, VectorStore } from './vector-store.ts'

/** Rows that one statement writes or removes. */
const ROWS_A_STATEMENT = 200
/** The most dimensions that an HNSW index of halfvec takes; more of them are compared one by one. */
const MOST_INDEXED_DIMENSIONS = 4_000

export class PostgresVectorStore implements VectorStore {
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
    // In one order, so that two attempts at the same chunks do not wait for each other in a circle.
    const ordered = chunks.toSorted((a, b) => a.position - b.position)
    for (let from = 0; from < ordered.length; from += ROWS_A_STATEMENT) {
      const some = ordered.slice(from, from + ROWS_A_STATEMENT)
      await this.#db.transaction().execute((tx) => addSomeChunks(tx, document, space, some))
    }
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
    if (shown?.generation) await this.#remove(documentId, sql`generation < ${shown.generation}`)
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
    await this.#remove(documentId, generation === undefined ? sql`true` : sql`generation = ${generation}`)
  }

  async search(query: VectorQuery): Promise<Hit[]> {
    const collection = await this.#collections.findForSearch(query.collection, query.vector)
    if (!collection) return []
    const spaces = query.scopes.map((scope) => spaceOf(query.collection, query.agent_id, scope))
    return searchPostgres(this.#db, vectorTable(collection.dimension), spaces, query)
  }

  /** Chunks take their vectors and words with them. */
  async #remove(documentId: string, concerned: RawBuilder<unknown>): Promise<void> {
    for (let removed = ROWS_A_STATEMENT; removed === ROWS_A_STATEMENT;) {
      const { numAffectedRows } = await sql`delete from chunks where id in (
        select id from chunks where document_id = ${documentId} and ${concerned}
        order by id limit ${ROWS_A_STATEMENT} for update)`.execute(this.#db)
      removed = Number(numAffectedRows ?? 0)
    }
  }
}

async function createTable(tx: Tx, dimension: number): Promise<void> {
  const table = vectorTable(dimension)
  // Two that create the same table at once would fail.
  await differencesOf(tx).lockNames(tx, [table])
  await sql`create table if not exists ${sql.table(table)} (
    chunk_id bigint primary key references chunks (id) on delete cascade,
    space text collate "C" not null, embedding halfvec(${sql.lit(dimension)}) not null)`.execute(tx)
  await sql`create index if not exists ${sql.ref(`${table}_by_space`)} on ${sql.table(table)} (space)`.execute(tx)
  if (dimension > MOST_INDEXED_DIMENSIONS) return
  await sql`create index if not exists ${sql.ref(`${table}_by_nearness`)} on ${sql.table(table)}
    using hnsw (embedding halfvec_cosine_ops)`.execute(tx)
}
