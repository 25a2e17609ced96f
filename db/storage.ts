// The storage of a process: rows, blobs, secrets, live events and stops, opened and closed together.
import { join } from 'node:path'
import { retry } from '../contracts/retry.ts'
import { SQLITE_FILE } from '../contracts/main-database.ts'
import type { BlobCredentials, Blobs } from './blobs.ts'
import { openBlobs } from './open-blobs.ts'
import type { Connections, Database } from './dialect.ts'
import { DiskProbe, isDiskFull } from './disk.ts'
import { EventLog } from './event-log.ts'
import { migrate } from './migrate.ts'
import { notedBlobs } from './noted-blobs.ts'
import { isPostgresAway, openPostgres, openPostgresPatiently } from './postgres.ts'
import type { Db } from './schema.ts'
import { loadSecretKey, SecretBox } from './secret-box.ts'
import { openSqlite } from './sqlite.ts'
import { isSqliteAway } from './sqlite-file.ts'
import { StopRegistry } from './stops.ts'

/** How long a starting process waits for a database server that does not respond yet, in milliseconds. */
const START_MS = 30_000
const START_PAUSE_MS = 500

const AWAY_MS = 60_000
const AWAY_PAUSE_MS = 500

export interface Storage {
  db: Db
  blobs: Blobs
  box: SecretBox
  events: EventLog
  stops: StopRegistry
  disk: DiskProbe
  /** Of the database's pool; undefined where there is none. */
  connections: (() => Connections) | undefined
  /** The version of the database, which changes with every commit; undefined where it cannot be read without a query. */
  version: () => string | undefined
  close(): Promise<void>
}

export interface StorageOptions {
  data_dir: string
  /** A Postgres database; default: a SQLite file in the data folder. */
  database_url?: string | undefined
  secret_key?: string | undefined
  /** Location of blobs; default: the data folder. */
  blob_url?: string | undefined
  blob_credentials?: BlobCredentials | undefined
}

/** Opens the database, migrated to the newest schema, the blobs and the data folder. */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  const blobs = await openBlobs(options)
  const { db, commits, stops, connections, version, close } = await openDatabase(options)
  const events = new EventLog(db, commits)
  return {
    db,
    blobs: notedBlobs(blobs, db),
    box: new SecretBox(loadSecretKey(options.data_dir, options.secret_key)),
    events,
    stops: new StopRegistry(db, stops),
    disk: new DiskProbe(options.data_dir),
    connections,
    version: () => version?.(),
    async close() {
      await events.close()
      await blobs.close()
      await close()
    },
  }
}

/** The database file in a data folder, where no Postgres is configured. */
export function sqliteFile(dataDir: string): string {
  return join(dataDir, SQLITE_FILE)
}

async function openDatabase({ data_dir, database_url }: StorageOptions): Promise<Database> {
  if (database_url === undefined) {
    const database = openSqlite(sqliteFile(data_dir))
    await migrate(database.db)
    return database
  }
  const open = async () => {
    const migrating = openPostgresPatiently(database_url)
    try {
      await migrate(migrating)
      return openPostgres(database_url)
    } finally {
      await migrating.destroy()
    }
  }
  // Server and processes are often started together.
  const mayPass = (error: unknown) => isDatabaseAway((error as Error).cause)
  return retry(open, { patience_ms: START_MS, pause_ms: START_PAUSE_MS, mayPass })
}

/** Whether an error means that the database is temporarily unavailable, including a full disk, so that a retry may succeed. */
export function isDatabaseAway(error: unknown): boolean {
  return isSqliteAway(error) || isPostgresAway(error) || isDiskFull(error)
}

/** Retries work that failed because the database was unavailable, for a minute. It may have been committed: it must be idempotent. */
export function untilDatabaseIsBack<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  return retry(work, { patience_ms: AWAY_MS, pause_ms: AWAY_PAUSE_MS, mayPass: isDatabaseAway, signal })
}
