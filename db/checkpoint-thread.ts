// The thread that makes SQLite's WAL checkpoints: they wait for the disk, which would block the event loop.
import { DatabaseSync } from 'node:sqlite'
import { workerData } from 'node:worker_threads'

const EVERY_MS = 500

const db = new DatabaseSync(workerData as string)
// A passive checkpoint blocks neither readers nor writers, and returns at once when there is nothing to copy.
const checkpoint = db.prepare('pragma wal_checkpoint(passive)')
setInterval(() => checkpoint.get(), EVERY_MS)
