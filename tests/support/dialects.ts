// Both databases, so that the same cases run on each: `for (const dialect of dialects) describe(dialect.name, …)`.
import { join } from 'node:path'
import { afterAll, onTestFinished } from 'vitest'
import { openStorage, type Storage, type StorageOptions } from '../../db/storage.ts'
import { openVectors } from '../../vectors/open-vectors.ts'
import type { VectorStore } from '../../vectors/store.ts'
import { freshDatabase, stopSharedPostgres } from './postgres.ts'
import { tempDir } from './temp-dir.ts'

export type TestStorage = Storage & { vectors: VectorStore }

/** A database of a test's own, which any number of storages, as of so many processes, may open. */
export interface TestDatabase {
  options: StorageOptions
  open(): Promise<TestStorage>
}

export interface TestDialect {
  name: 'sqlite' | 'postgres'
  fresh(): Promise<TestDatabase>
}

function database(options: StorageOptions): TestDatabase {
  return {
    options,
    async open() {
      const storage = await openStorage(options)
      let closed: Promise<void> | undefined
      const { vectors, close: closeVectors } = openVectors(storage.db, options)
      const close = () => (closed ??= closeVectors().then(() => storage.close()))
      onTestFinished(close)
      return { ...storage, vectors, close }
    },
  }
}

export const dialects: readonly TestDialect[] = [
  { name: 'sqlite', fresh: async () => database({ data_dir: join(tempDir(), 'data') }) },
  {
    name: 'postgres',
    async fresh() {
      return database({ data_dir: join(tempDir(), 'data'), database_url: await freshDatabase() })
    },
  },
]

afterAll(stopSharedPostgres)
