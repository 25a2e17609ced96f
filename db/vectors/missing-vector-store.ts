// Stands where there is no vector index yet (Postgres): nothing is found, and a document is refused in words instead of waiting for ever.
import { MuxiError } from '../../contracts/failures.ts'
import type { Hit, VectorStore } from './vector-store.ts'

export class MissingVectorStore implements VectorStore {
  async ensureCollection(): Promise<void> {}

  async addChunks(): Promise<void> {
    throw new MuxiError(
      'unprocessable',
      'Cannot index documents: there is no vector index on Postgres yet; leave DATABASE_URL out to use SQLite',
    )
  }

  async publish(): Promise<void> {}

  async discard(): Promise<void> {}

  async search(): Promise<Hit[]> {
    return []
  }
}
