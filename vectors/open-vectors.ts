// Opens the vector store in the main database, by its dialect.
import { sqliteFile, type StorageOptions } from '../db/storage.ts'
import { openPostgresForSearches, openPostgresPatiently } from '../db/postgres.ts'
import type { Db } from '../db/schema.ts'
import { postgresVectors } from './postgres/vectors.ts'
import { SEARCH_SETTINGS } from './postgres/search.ts'
import type { VectorDialect } from './dialect.ts'
import { HiddenVectors } from './hidden-vectors.ts'
import { SqlVectorStore } from './sql-vector-store.ts'
import { NearestFinder } from './sqlite/nearest.ts'
import { sqliteVectors } from './sqlite/vectors.ts'
import type { VectorStore } from './store.ts'

export interface OpenVectors {
  vectors: VectorStore
  hidden: HiddenVectors
  /** Ends its thread or its connections; called before the database is closed. */
  close: () => Promise<void>
}

/** @param db the open, migrated database at the place that the options name */
export function openVectors(db: Db, { data_dir, database_url }: StorageOptions): OpenVectors {
  if (database_url === undefined) {
    const nearest = new NearestFinder(sqliteFile(data_dir))
    return { ...stores(db, sqliteVectors(nearest)), close: () => nearest.close() }
  }
  const searches = openPostgresForSearches(database_url, SEARCH_SETTINGS)
  const builds = openPostgresPatiently(database_url, 'muxi-index')
  const close = async () => void (await Promise.all([searches.destroy(), builds.destroy()]))
  return { ...stores(db, postgresVectors({ searches, builds })), close }
}

function stores(db: Db, dialect: VectorDialect): Pick<OpenVectors, 'vectors' | 'hidden'> {
  return { vectors: new SqlVectorStore(db, dialect), hidden: new HiddenVectors(db, dialect) }
}
