// What differs between the vectors in SQLite and in Postgres.
import type { RawBuilder } from 'kysely'
import type { Db, Tx } from '../db/schema.ts'
import type { DocumentGeneration, Hit, VectorChunk, VectorQuery } from './store.ts'

/** Where chunks are added. */
export interface AddedTo {
  collection: string
  space: string
  /** Of the vectors. */
  table: string
}

/** A vector of an existing chunk. */
export interface ChunkVector {
  id: number
  space: string
  vector: Float32Array
}

/** The dialect-specific operations. */
export interface VectorDialect {
  /** Creates the table of a set of vectors, unless it exists. @param indexed whether now, or by `buildIndex` when it is full */
  createTable(tx: Tx, table: string, dimension: number, indexed: 'at once' | 'later'): Promise<void>
  /** Indexes a full table in bulk, unless that is done. @throws the signal's reason */
  buildIndex(table: string, dimension: number, signal: AbortSignal): Promise<void>
  dropTable(tx: Tx, table: string): Promise<void>
  /** Adds missing chunks, in short transactions. @param claim called first in each of them */
  addChunks(
    db: Db,
    document: DocumentGeneration,
    chunks: VectorChunk[],
    claim: (tx: Tx) => Promise<AddedTo>,
  ): Promise<void>
  /** Adds vectors, all of the table's dimension; zero vectors are left out. */
  addVectors(tx: Tx, table: string, vectors: ChunkVector[]): Promise<void>
  /** Removes chunks of a document with their vectors and words. @param concerned condition on chunks */
  removeChunks(db: Db, documentId: string, concerned: RawBuilder<boolean>): Promise<void>
  search(db: Db, table: string, spaces: string[], query: VectorQuery): Promise<Hit[]>
}
