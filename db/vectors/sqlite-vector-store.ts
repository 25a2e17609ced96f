// Vectors in sqlite-vec and words in FTS5, in the same file as everything else.
import type { Db } from '../schema.ts'
import type { VectorStore } from './vector-store.ts'

export function sqliteVectorStore(_db: Db): VectorStore {
  throw new Error('not yet')
}
