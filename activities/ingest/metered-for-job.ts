// Whom the embeddings of a job are booked to.
import type { Db, JobsTable } from '../../db/schema.ts'
import { meteredEmbedder } from '../../vectors/metered-embedder.ts'
import type { IndexEmbedder } from '../../vectors/search-index.ts'

/** The embedder with usage rows of the job, or of the turn that it belongs to. */
export function meteredForJob(db: Db, embedder: IndexEmbedder, job: JobsTable): IndexEmbedder {
  return meteredEmbedder(db, embedder, job.turn_id ?? job.id, job)
}
