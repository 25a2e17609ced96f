// Both databases, so that the same cases run on each: `for (const dialect of dialects) describe(dialect.name, …)`.
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, onTestFinished } from 'vitest'
import type { Db } from '../../db/schema.ts'
import { openStorage, type Storage, type StorageOptions } from '../../db/storage.ts'
import { openVectors } from '../../vectors/open-vectors.ts'
import type { HiddenVectors } from '../../vectors/hidden-vectors.ts'
import type { VectorStore } from '../../vectors/store.ts'
import { freshDatabase, stopSharedPostgres } from './postgres.ts'
import { tempDir } from './temp-dir.ts'

export type TestStorage = Storage & { vectors: VectorStore; hidden: HiddenVectors }

/** A database of a test's own, which any number of storages, as of so many processes, may open. */
export interface TestDatabase {
  options: StorageOptions
  open(): Promise<TestStorage>
}

export interface TestDialect {
  name: 'sqlite' | 'postgres'
  fresh(): Promise<TestDatabase>
  /** From now on the database refuses every update of the column, or those of the rows where a condition holds. */
  refuseUpdates(db: Db, table: string, column: string, when?: string): Promise<unknown>
}

function database(options: StorageOptions): TestDatabase {
  return {
    options,
    async open() {
      const storage = await openStorage(options)
      let closed: Promise<void> | undefined
      const { vectors, hidden, close: closeVectors } = openVectors(storage.db, options)
      const close = () => (closed ??= closeVectors().then(() => storage.close()))
      onTestFinished(close)
      return { ...storage, vectors, hidden, close }
    },
  }
}

export const dialects: readonly TestDialect[] = [
  {
    name: 'sqlite',
    fresh: async () => database({ data_dir: join(tempDir(), 'data') }),
    refuseUpdates: (db, table, column, when = 'true') =>
      sql`create trigger refuse before update of ${sql.ref(column)} on ${sql.table(table)} when ${sql.raw(when)} begin select raise(abort, 'refused'); end`.execute(
        db,
      ),
  },
  {
    name: 'postgres',
    async fresh() {
      return database({ data_dir: join(tempDir(), 'data'), database_url: await freshDatabase() })
    },
    async refuseUpdates(db, table, column, when = 'true') {
      await sql`create function refuse() returns trigger language plpgsql as $$ begin raise exception 'refused'; end $$`.execute(
        db,
      )
      await sql`create trigger refuse before update of ${sql.ref(column)} on ${sql.table(table)} for each row when (${sql.raw(when)}) execute function refuse()`.execute(
        db,
      )
    },
  },
]

afterAll(stopSharedPostgres)
