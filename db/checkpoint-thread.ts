// The thread that copies what has been committed from SQLite's log into its file: that waits for the disk, and nobody else may have to.
import { DatabaseSync } from 'node:sqlite'
import { workerData } from 'node:worker_threads'

const EVERY_MS = 500

const db = new DatabaseSync(workerData as string)
// Holds up neither readers nor writers, and is done at once when there is nothing new.
const checkpoint = db.prepare('pragma wal_checkpoint(passive)')
setInterval(() => checkpoint.get(), EVERY_MS)
