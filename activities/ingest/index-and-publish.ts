// The steps of an ingestion other than parsing: claim, index one batch at a time under a hidden generation, publish at once,
// or record another end.
import { setTimeout as delay } from 'node:timers/promises'
import { activityInfo } from '@temporalio/activity'
import type { BatchRef, FinishJobInput, JobClaim, JobRef } from '../../contracts/job.ts'
import { jobOptions, jobResult } from '../../db/job-columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import type { DocumentGeneration, VectorChunk } from '../../vectors/store.ts'
import { deleteFile } from '../../db/queries/files.ts'
import { advance } from '../../db/queries/job-progress.ts'
import { claimJob, findJob, isForsaken, setCollection } from '../../db/queries/jobs.ts'
import { completeJob, finishJob } from '../../db/queries/job-ends.ts'
import { findBatch, readNotices, type StoredPage, storeIndexed } from '../../db/queries/job-batches.ts'
import type { Db, JobsTable } from '../../db/schema.ts'
import { chunkPages } from '../../media/document/chunk.ts'
import { cleanPages } from '../../media/document/clean.ts'
import { meteredForJob } from './metered-for-job.ts'
import { embedOnce } from '../embed-once.ts'
import { overtaken } from '../failures.ts'
import type { ActivityResources } from '../resources.ts'
import { ingestionStep } from './ingestion-step.ts'
import { findMade, readMedia } from './media-rows.ts'

/** Texts per embedding request, and chunks per transaction. */
const EMBED_AT_ONCE = 64
/** Positions of a batch's chunks begin at its number times this, so that they are unique within the document. */
const POSITIONS_A_BATCH = 100_000
/** A batch of so few pages is too small to detect the recurring lines of its document. */
const FEW_PAGES = 10

/** Yields to the event loop. setImmediate would run before pending timers when called from an I/O callback. */
const yieldToEventLoop = () => delay(1)

type Resources = Pick<ActivityResources, 'db' | 'events' | 'blobs' | 'stops' | 'vectors' | 'index'>

export function indexAndPublishActivities(resources: Resources) {
  const { db, events, blobs, vectors, index: searchIndex } = resources

  /** The prepared audio of a recording is large, and not needed once it is transcribed. */
  async function removeSound(job: JobsTable): Promise<void> {
    const sound = findMade(readMedia(job), 'sound')
    if (!sound) return
    const file = { id: sound.file_id, user_id: job.user_id, sha256: sound.sha256 }
    if (await db.transaction().execute((tx) => deleteFile(tx, file))) await blobs.delete(file.user_id, file.sha256)
  }

  async function index(
    job: JobsTable,
    ref: JobRef,
    batch: number,
    chunks: ReturnType<typeof chunkPages>,
    signal: AbortSignal,
  ): Promise<{ batch: number; chunks: number }> {
    for (let from = 0; from < chunks.length; from += EMBED_AT_ONCE) {
      const some = chunks.slice(from, from + EMBED_AT_ONCE)
      const texts = some.map(({ text }) => text)
      await searchIndex.use(async ({ embedder }) => {
        const embedded = await embedOnce(db, meteredForJob(db, embedder, job), texts, signal)
        signal.throwIfAborted()
        const rows: VectorChunk[] = some.map((chunk, index) => ({
          ...chunk,
          position: batch * POSITIONS_A_BATCH + chunk.position,
          vector: embedded[index]!,
        }))
        await vectors.addChunks(generationOf(job, embedder.model), rows, signal)
      })
      await yieldToEventLoop()
    }
    const told = await db.transaction().execute(async (tx) => {
      if (!(await storeIndexed(tx, ref, batch, chunks.length))) throw overtaken()
      return advance(tx, job, 'indexing', String(batch))
    })
    events.publish(job.id, told)
    return { batch, chunks: chunks.length }
  }

  return {
    /** Claims the job for the calling run. Without an agent nothing is indexed: only the text was requested. */
    async beginJob(ref: JobRef): Promise<JobClaim> {
      const begun = await db.transaction().execute(async (tx) => {
        const job = await claimJob(tx, ref, activityInfo().workflowExecution?.runId ?? '')
        return job && { job, told: await advance(tx, job, 'inspecting', '') }
      })
      if (!begun) return { claimed: false }
      events.publish(ref.job_id, begun.told)
      const { summarize } = parseColumn(jobOptions, begun.job.options, begun.job.id)
      return { claimed: true, indexed: begun.job.agent_id !== null, ...(summarize && { summarize }) }
    },

    /** Chunks, embeds and writes a parsed batch under the hidden generation, unless that is done already. */
    async indexBatch({ batch, ...ref }: BatchRef): Promise<{ batch: number; chunks: number }> {
      return ingestionStep(resources, ref, { name: 'index', input: { batch }, paid: true }, async (job, signal) => {
        const stored = await findBatch(db, job.id, batch)
        if (stored && stored.chunks !== null) return { batch, chunks: stored.chunks }
        if (!stored?.pages) throw new Error(`batch ${batch} of ${job.id} is not parsed`)
        await setCollection(db, job.id, (await searchIndex.serving()).collection)
        const pages = await readCleaned(db, job.id, batch, stored.pages)
        await yieldToEventLoop()
        const chunks = chunkPages(pages)
        await yieldToEventLoop()
        try {
          return await index(job, ref, batch, chunks, signal)
        } catch (error) {
          // The cancellation emptied the index before this run, delayed or suspended, wrote into it.
          if (await isForsaken(db, job)) await vectors.discard(job.document_id, job.generation)
          throw error
        }
      })
    },

    /** Publishes the new generation in place of the previous one, and completes the job. */
    async publishJob(ref: JobRef): Promise<{ pages: number; chunks: number }> {
      const before = await findJob(db, ref.job_id)
      // An earlier attempt finished and only its reply was lost.
      if (before?.status === 'completed' && before.run === ref.run) {
        const result = parseColumn(jobResult, before.result, before.id)
        if (result) return { pages: result.pages, chunks: result.chunks }
      }
      return ingestionStep(resources, ref, { name: 'publish', input: {} }, async (job) => {
        await removeSound(job)
        if (job.agent_id !== null) await vectors.publish(job.document_id, job.generation)
        const read = await readNotices(db, job.id)
        const completed = await db.transaction().execute((tx) => completeJob(tx, ref, read))
        if (!completed) {
          // It was cancelled during publication.
          if (await isForsaken(db, job)) await vectors.discard(job.document_id, job.generation)
          throw overtaken()
        }
        events.publish(job.id, completed.events)
        return { pages: completed.result.pages, chunks: completed.result.chunks }
      })
    },

    /** Records that the job failed or was cancelled, once. A cancelled job leaves nothing in the index. */
    async finishJob(input: FinishJobInput): Promise<void> {
      const job = await findJob(db, input.job_id)
      if (!job || job.run !== input.run || (job.status !== 'running' && job.status !== 'queued')) return
      if (input.status === 'cancelled' && job.agent_id !== null) await vectors.discard(job.document_id, job.generation)
      const told = await db.transaction().execute((tx) => finishJob(tx, input))
      events.publish(input.job_id, told)
    },
  }
}

/** A short last batch is cleaned together with the one before it. */
async function readCleaned(db: Db, jobId: string, batch: number, pages: StoredPage[]): Promise<StoredPage[]> {
  const before = pages.length < FEW_PAGES ? await findBatch(db, jobId, batch - 1) : undefined
  return cleanPages(pages, before?.pages)
}

/** The generation that the chunks of a job are written to. @param model that embeds them */
export function generationOf(job: JobsTable, model: string): DocumentGeneration {
  return {
    model,
    agent_id: job.agent_id ?? '',
    scope: job.conversation_id ?? '',
    document_id: job.document_id,
    generation: job.generation,
    ...(job.knowledge_id !== null && { knowledge_id: job.knowledge_id }),
  }
}
