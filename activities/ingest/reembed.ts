// The steps of a job that embeds everything again with another model: hidden vectors, filled in batches, take the place of those
// that searches use (decision 062).
import { mapAll } from '../../contracts/map-all.ts'
import { cancellationSignal } from '@temporalio/activity'
import type { JobRef } from '../../contracts/job.ts'
import { advanceReembed } from '../../db/queries/job-progress.ts'
import { deleteEmbeddingsOf } from '../../db/queries/embeddings.ts'
import { findJob, findRunning } from '../../db/queries/jobs.ts'
import { completeReembed } from '../../db/queries/reembed-jobs.ts'
import type { Db, JobsTable, Tx } from '../../db/schema.ts'
import type { Filled, HiddenChunk } from '../../vectors/hidden-vectors.ts'
import type { IndexEmbedder } from '../../vectors/search-index.ts'
import { embedOnce, isRefusedText } from '../embed-once.ts'
import { overtaken, refusedFile } from '../failures.ts'
import { startBeating } from '../heartbeat.ts'
import type { ActivityResources } from '../resources.ts'
import { meteredForJob } from './metered-for-job.ts'
import { ingestionStep } from './ingestion-step.ts'

/** Texts per embedding request. */
const TEXTS_A_REQUEST = 64
/** Requests at once; what they give is stored together. */
const REQUESTS_AT_ONCE = 4
/** An activity embeds batches for this long, so that the history shows how the job advances, in milliseconds. */
const SLICE_MS = 20_000

type Resources = Pick<ActivityResources, 'db' | 'events' | 'stops' | 'index' | 'hidden'>

export function reembedActivities(resources: Resources) {
  const { db, events, index, hidden } = resources

  /** @throws a final failure when the model cannot be asked here */
  function embedderOf({ name: model }: JobsTable): IndexEmbedder {
    const embedder = index.embedderOf(model)
    if (embedder) return embedder
    const message = `The embedding model '${model}' cannot be asked here: its provider has no key, or it is not known`
    throw refusedFile(message, 'no_embedder', 'unavailable')
  }

  async function tell(job: JobsTable, filled: Filled): Promise<void> {
    events.publish(job.id, await db.transaction().execute((tx) => advanceReembed(tx, job, filled)))
  }

  return {
    /** Begins the hidden vectors, or goes on with those of an attempt that failed. */
    async planReembed(ref: JobRef): Promise<{ chunks: number }> {
      return ingestionStep(resources, ref, { name: 'plan', input: {} }, async (job) => {
        const embedder = embedderOf(job)
        const { embedder: serving } = await index.servingNow()
        // The model may have changed under its name: what it has made is of no use.
        if (serving.model === embedder.model && !(await hidden.hasBegun(job.id)))
          await deleteEmbeddingsOf(db, embedder.model)
        const filled = await hidden.begin(job.id, embedder)
        await tell(job, filled)
        return { chunks: filled.total }
      })
    },

    /** Embeds the next batches. @returns whether chunks are left */
    async embedChunks(ref: JobRef): Promise<{ chunks: number; left: boolean }> {
      return ingestionStep(resources, ref, { name: 'embed', input: {}, paid: true }, async (job, signal) => {
        const embedder = embedderOf(job)
        const until = performance.now() + SLICE_MS
        const filled = await hidden.filled(job.id)
        if (!filled) throw overtaken()
        const before = filled.done
        do {
          const next = await hidden.next(job.id, TEXTS_A_REQUEST * REQUESTS_AT_ONCE)
          if (!next) throw overtaken()
          if (next.chunks.length === 0) return { chunks: filled.done - before, left: false }
          const vectors = await embedChunks(db, meteredForJob(db, embedder, job), next.chunks, signal)
          signal.throwIfAborted()
          // Another attempt that was faster has stored them, and this one goes on after it.
          if (!(await hidden.store(job.id, next, vectors, (tx) => checkOwned(tx, ref)))) continue
          filled.done += next.chunks.length
          await tell(job, { ...filled, total: Math.max(filled.total, filled.done) })
        } while (performance.now() < until)
        return { chunks: filled.done - before, left: true }
      })
    },

    /** Completes the job: searches use the new vectors. Not while there are chunks without one. */
    async takeOverVectors(ref: JobRef): Promise<{ completed: boolean }> {
      const before = await findJob(db, ref.job_id)
      // An earlier attempt finished and only its reply was lost.
      if (before?.status === 'completed' && before.run === ref.run) return { completed: true }
      return ingestionStep(resources, ref, { name: 'take over', input: {} }, async (job, signal) => {
        await hidden.buildIndex(job.id, signal)
        const taken = await hidden.takeOver(job.id, async (tx, { model, dimension, done: chunks, refused }) => {
          const told = await completeReembed(tx, ref, { model, dimension, chunks, ...(refused > 0 && { refused }) })
          if (!told) throw overtaken()
          return told
        })
        if (taken) events.publish(job.id, taken.completed)
        return { completed: taken !== undefined }
      })
    },

    /** Removes vectors that nothing uses any more: the former ones, and those of cancelled jobs. */
    async removeOldVectors(): Promise<{ removed: number }> {
      const stopBeating = startBeating()
      try {
        return { removed: await hidden.removeOld(cancellationSignal()) }
      } finally {
        stopBeating()
      }
    },
  }
}

/** @throws when the run no longer owns the job, or is to stop */
async function checkOwned(tx: Tx, ref: JobRef): Promise<void> {
  const job = await findRunning(tx, ref)
  if (!job || job.cancel_requested_at !== null) throw overtaken()
}

/** The vectors of chunks, by some requests at once; undefined for texts that the embedding server refuses. */
async function embedChunks(
  db: Db,
  embedder: IndexEmbedder,
  chunks: readonly HiddenChunk[],
  signal: AbortSignal,
): Promise<(Float32Array | undefined)[]> {
  const texts = chunks.map(({ text }) => text)
  const requests: string[][] = []
  for (let from = 0; from < texts.length; from += TEXTS_A_REQUEST)
    requests.push(texts.slice(from, from + TEXTS_A_REQUEST))
  const embedded = await mapAll(requests, (some) => embedAccepted(db, embedder, some, signal))
  return embedded.flat()
}

/** When the server refuses one text, it refuses its whole request: then each is sent alone. */
async function embedAccepted(
  db: Db,
  embedder: IndexEmbedder,
  texts: string[],
  signal: AbortSignal,
): Promise<(Float32Array | undefined)[]> {
  try {
    return await embedOnce(db, embedder, texts, signal)
  } catch (error) {
    signal.throwIfAborted()
    if (!isRefusedText(error)) throw error
    if (texts.length === 1) return [undefined]
    const vectors: (Float32Array | undefined)[] = []
    for (const text of texts) vectors.push(...(await embedAccepted(db, embedder, [text], signal)))
    // It is not the texts that it refuses.
    if (vectors.every((vector) => vector === undefined)) throw error
    return vectors
  }
}
