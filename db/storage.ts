// Everything a process keeps and shares: rows, blobs, vectors, secrets, live events and stops, opened together and closed together.
import { join } from 'node:path'
import { BlobStore } from './blobs.ts'
import { EventLog } from './event-log.ts'
import { ForeignCommits } from './foreign-commits.ts'
import { migrate } from './migrate.ts'
import type { Db } from './schema.ts'
import { loadSecretKey, SecretBox } from './secret-box.ts'
import { openSqlite } from './sqlite.ts'
import { StopRegistry } from './stops.ts'
import { SqliteVectorStore } from './vectors/sqlite-vector-store.ts'
import type { VectorStore } from './vectors/vector-store.ts'

export interface Storage {
  db: Db
  blobs: BlobStore
  vectors: VectorStore
  box: SecretBox
  events: EventLog
  stops: StopRegistry
  close(): Promise<void>
}

/** Opens the data folder, bringing its database to the newest schema. */
export async function openStorage(options: { data_dir: string; secret_key?: string | undefined }): Promise<Storage> {
  const { db, foreignVersion } = openSqlite(join(options.data_dir, 'muxi.db'))
  await migrate(db)
  const foreign = new ForeignCommits(foreignVersion)
  const events = new EventLog(db, foreign)
  return {
    db,
    blobs: new BlobStore(join(options.data_dir, 'blobs')),
    vectors: new SqliteVectorStore(db),
    box: new SecretBox(loadSecretKey(options.data_dir, options.secret_key)),
    events,
    stops: new StopRegistry(db, foreign),
    async close() {
      await events.close()
      await db.destroy()
    },
  }
}
