// What tests of a change of the embedding model share: an embedder of another dimension, writers, searches, and a worker's steps.
import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import { reembedActivities } from '../../activities/ingest/reembed.ts'
import { claimJob } from '../../db/queries/jobs.ts'
import type { JobsTable } from '../../db/schema.ts'
import type { Embedder } from '../../providers/embedder.ts'
import { hashingEmbedder } from '../../providers/hashing-embedder.ts'
import type { TestStorage } from './dialects.ts'
import { folded } from './embedding-server.ts'
import { indexOf } from './search-index.ts'
import { inTx } from './turn-rows.ts'

const SILENT = new DefaultLogger('ERROR', () => undefined)
const { signal } = new AbortController()

/** The model before the change. */
export const old = hashingEmbedder()

/** An embedding server of another dimension, which counts what it is asked. */
export class Other implements Embedder {
  readonly isCostly = true
  readonly dimension: number
  readonly model: string
  readonly asked: string[] = []
  /** Called before each answer. */
  before: (texts: readonly string[]) => Promise<void> | void = () => undefined

  constructor(dimension = 96) {
    this.dimension = dimension
    this.model = `openai:other@${dimension}`
  }

  async embed(texts: string[]): Promise<Float32Array[]> {
    await this.before(texts)
    this.asked.push(...texts)
    const vectors = await old.embed(texts, signal)
    return vectors.map((vector) => folded(vector, this.dimension))
  }
}

/** Adds and publishes a document of one page for each text. */
export async function write(
  storage: TestStorage,
  embedder: Embedder,
  document_id: string,
  texts: string[],
): Promise<void> {
  await indexOf(storage, embedder, [old]).use(async ({ embedder: serving }) => {
    const vectors = await serving.embed(texts, signal)
    await storage.vectors.addChunks(
      { model: serving.model, agent_id: 'agent', scope: '', document_id, generation: 1 },
      texts.map((text, position) => ({ text, page: position + 1, position, vector: vectors[position]! })),
    )
  })
  await storage.vectors.publish(document_id, 1)
}

/** What is found for a question, by vectors only. */
export function find(storage: TestStorage, embedder: Embedder, question: string, others: Embedder[] = [old]) {
  return indexOf(storage, embedder, others).use(async ({ embedder: serving }) => {
    const [vector] = await serving.embed([question], signal)
    const query = { model: serving.model, agent_id: 'agent', scopes: [''], text: '', vector: vector!, top_k: 3 }
    return (await storage.vectors.search(query)).map(({ content }) => content)
  })
}

export function workerOf(storage: TestStorage, embedder: Embedder, job: JobsTable) {
  const activities = reembedActivities({ ...storage, index: indexOf(storage, embedder, [old]) })
  const worker = new MockActivityEnvironment({}, { logger: SILENT })
  return {
    claim: (run = 1) => inTx(storage, (tx) => claimJob(tx, { job_id: job.id, run }, `run-${run}`)),
    plan: (run = 1) => worker.run(() => activities.planReembed({ job_id: job.id, run })),
    embed: (run = 1) => worker.run(() => activities.embedChunks({ job_id: job.id, run })),
    activate: (run = 1) =>
      worker.run<[], { completed: boolean }, () => Promise<{ completed: boolean }>>(() =>
        activities.takeOverVectors({ job_id: job.id, run }),
      ),
    removeOld: () => worker.run(() => activities.removeOldVectors()),
  }
}
