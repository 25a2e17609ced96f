// Both databases, so that the same cases run on each: `for (const dialect of dialects) describe(dialect.name, …)`.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, onTestFinished } from 'vitest'
import type { Db } from '../../db/schema.ts'
import { openStorage, sqliteFile, type Storage, type StorageOptions } from '../../db/storage.ts'
import { openVectors } from '../../vectors/open-vectors.ts'
import type { HiddenVectors } from '../../vectors/hidden-vectors.ts'
import type { VectorStore } from '../../vectors/store.ts'
import { copyDatabase, freshDatabase, stopSharedPostgres } from './postgres.ts'
import { tempDir } from './temp-dir.ts'

export type TestStorage = Storage & { vectors: VectorStore; hidden: HiddenVectors }

/** A database of a test's own, which any number of storages, as of so many processes, may open. */
export interface TestDatabase {
  options: StorageOptions
  open(): Promise<TestStorage>
}

export interface TestDialect {
  name: 'sqlite' | 'postgres'
  /** A database with the newest schema: a copy, because migrating takes longer than most tests. */
  fresh(): Promise<TestDatabase>
  /** A database without tables. */
  empty(): Promise<TestDatabase>
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

/** A migrated database, made once for all tests of a file. */
const migrated: { sqlite?: Promise<Buffer>; postgres?: Promise<string> } = {}

/** Migrates a database in a folder that is removed once it has been looked at. */
async function migrateThen<Seen>(options: Omit<StorageOptions, 'data_dir'>, look: (dataDir: string) => Seen) {
  const data_dir = mkdtempSync(join(tmpdir(), 'muxi-test-'))
  try {
    await (await openStorage({ data_dir, ...options })).close()
    return look(data_dir)
  } finally {
    rmSync(data_dir, { recursive: true })
  }
}

async function migratedPostgres(): Promise<string> {
  const database_url = await freshDatabase()
  return migrateThen({ database_url }, () => database_url)
}

export const dialects: readonly TestDialect[] = [
  {
    name: 'sqlite',
    async fresh() {
      migrated.sqlite ??= migrateThen({}, (dataDir) => readFileSync(sqliteFile(dataDir)))
      const bytes = await migrated.sqlite
      const data_dir = join(tempDir(), 'data')
      mkdirSync(data_dir, { mode: 0o700 })
      writeFileSync(sqliteFile(data_dir), bytes)
      return database({ data_dir })
    },
    empty: async () => database({ data_dir: join(tempDir(), 'data') }),
    refuseUpdates: (db, table, column, when = 'true') =>
      sql`create trigger refuse before update of ${sql.ref(column)} on ${sql.table(table)} when ${sql.raw(when)} begin select raise(abort, 'refused'); end`.execute(
        db,
      ),
  },
  {
    name: 'postgres',
    async fresh() {
      migrated.postgres ??= migratedPostgres()
      const database_url = await copyDatabase(await migrated.postgres)
      return database({ data_dir: join(tempDir(), 'data'), database_url })
    },
    async empty() {
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
