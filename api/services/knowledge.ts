// Knowledge of an agent: add, list, remove and search sources; those of agent files are synchronized with the files.
import { createHash } from 'node:crypto'
import { MuxiError, notFound, type ErrorBody } from '../../contracts/failures.ts'
import type { KnowledgeRequest } from '../../contracts/schemas/jobs.ts'
import { agentOwner, deleteFile, findFile, insertFile, type NewFile } from '../../db/queries/files.ts'
import { findJob, insertJob } from '../../db/queries/jobs.ts'
import {
  changeSource,
  deleteSource,
  detachDocuments,
  findPassages,
  findSource,
  insertSource,
  lockSource,
  listConfiguredSources,
  listLatestJobs,
  listSources,
  type Passage,
  type SourceView,
} from '../../db/queries/knowledge.ts'
import type { Principal } from '../../db/queries/keys.ts'
import type { FilesTable, JobsTable } from '../../db/schema.ts'
import { authorize } from './access.ts'
import { jobKindOf, typeOf } from './attachments.ts'
import type { ApiContext } from './context.ts'
import { getFileOrThrow } from './files.ts'
import { beginJobs, cancelJob, waitForJob } from './jobs.ts'
import { documentsOf, type Access, type Source, type SourceDocument } from './knowledge-content.ts'
import { toUpstreamError } from './upstream.ts'

/** Longest wait of an addition for its job, in milliseconds; then it continues in the background. */
const WAIT_MS = 120_000

export interface AddedSource {
  source: SourceView
  job: JobsTable
}

/** Adds a source over the API. @throws MuxiError */
export async function addSource(
  context: ApiContext,
  principal: Principal,
  agentId: string,
  source: KnowledgeRequest,
): Promise<AddedSource> {
  const { db } = context.storage
  if (await findSource(db, agentId, source.id)) throw taken(source.id)
  const documents = await documentsOf(source, accessOf(context, principal))
  const [job] = await putSource(context, agentId, source, documents, { origin: 'api', key_id: principal.key_id })
  if (!job) throw taken(source.id)
  if (!source.background)
    await waitForJob(context, job.id, AbortSignal.any([AbortSignal.timeout(WAIT_MS), context.closing]))
  const ended = (await findJob(db, job.id)) ?? job
  if (ended.status === 'failed') {
    await removeSource(context, agentId, source.id)
    const error = JSON.parse(ended.error ?? '{}') as ErrorBody
    throw new MuxiError(error.code, error.message, { details: { ...error.details, job_id: job.id } })
  }
  const view = (await listSources(db, agentId)).find(({ id }) => id === source.id)
  if (!view) throw notFound('knowledge source', source.id)
  return { source: view, job: ended }
}

function taken(id: string): MuxiError {
  return new MuxiError('conflict', `Cannot add the knowledge: there is a source '${id}' already`)
}

/** What a key may make knowledge of. */
function accessOf(context: ApiContext, principal: Principal): Access {
  return {
    dirs: context.knowledgeDirs,
    folders: false,
    mayRead: () => authorize(principal, 'admin'),
    file: (id) => getFileOrThrow(context, principal, id),
    limits: context.limits,
  }
}

/**
 * Prepares the knowledge of a new agent: checked and read before the agent is created.
 * @returns a function that adds the sources to the agent; their jobs run in the background
 * @throws MuxiError
 */
export async function prepareSources(
  context: ApiContext,
  principal: Principal,
  sources: readonly Source[],
): Promise<(agentId: string) => Promise<{ id: string; job_id: string | undefined }[]>> {
  const twice = sources.findIndex(({ id }, index) => sources.findIndex((other) => other.id === id) < index)
  if (twice >= 0) throw wrongSource(twice, 'id', 'an id that no other source has')
  const access = accessOf(context, principal)
  const prepared: { source: Source; documents: SourceDocument[] }[] = []
  for (const [index, source] of sources.entries()) {
    const documents = await documentsOf(source, access).catch((error: unknown) => {
      const [field] =
        ((error instanceof MuxiError ? error.details?.['fields'] : undefined) as { expected: string }[]) ?? []
      throw field ? wrongSource(index, 'path', field.expected) : error
    })
    prepared.push({ source, documents })
  }
  return async (agentId) => {
    const added: { id: string; job_id: string | undefined }[] = []
    for (const { source, documents } of prepared) {
      const jobs = await putSource(context, agentId, source, documents, { origin: 'api', key_id: principal.key_id })
      added.push({ id: source.id, job_id: jobs[0]?.id })
    }
    return added
  }
}

function wrongSource(index: number, field: string, expected: string): MuxiError {
  const path = `knowledge.${index}.${field}`
  return new MuxiError('bad_request', `Cannot create the agent: '${path}' must be ${expected}`, {
    details: { fields: [{ path, expected }] },
  })
}

/**
 * Synchronizes a source with its documents: new, changed and removed ones. Documents are identified by hash, so nothing is
 * embedded twice.
 * @returns the jobs that ingest them; none when nothing changed, or another process has just done the same
 */
async function putSource(
  context: ApiContext,
  agentId: string,
  source: Pick<Source, 'id' | 'description'>,
  documents: readonly SourceDocument[],
  { origin, key_id }: { origin: 'config' | 'api'; key_id: string | null },
): Promise<JobsTable[]> {
  const { db, blobs } = context.storage
  const { model } = context.embedder
  const content_hash = createHash('sha256')
    .update(JSON.stringify([model, ...documents.map(({ name, sha256 }) => [name, sha256])]))
    .digest('hex')
  const known = await findSource(db, agentId, source.id)
  const latest = await listLatestJobs(db, agentId, source.id)
  const pairs = documents.map((document) => ({ document, before: jobOf(document, documents, latest) }))
  const changed = pairs.filter(({ document, before }) => !before || isStale(before, document, model))
  const gone = latest.filter((job) => !pairs.some(({ before }) => before === job))
  if (known?.content_hash === content_hash && changed.length === 0 && gone.length === 0) return []

  // Before their rows are updated: an interrupted run is repeated.
  await forgetDocuments(context, agentId, gone)
  const owner = agentOwner(agentId)
  const stored: { file: NewFile | FilesTable; before: JobsTable | undefined }[] = []
  for (const { document, before } of changed) {
    if ('file' in document) stored.push({ file: document.file, before })
    else {
      const received = await blobs.receive(document.open())
      await received.keep(owner)
      const { sha256, size, head } = received
      const { name } = document
      stored.push({ file: { user_id: owner, key_id, name, type: typeOf(head, name), size, sha256 }, before })
    }
  }
  const jobs = await db
    .transaction()
    .execute(async (tx) => {
      await lockSource(tx, agentId, source.id)
      const now = await listLatestJobs(tx, agentId, source.id)
      // Another process was faster: rolls back the inserted rows.
      if (now.map(({ id }) => id).join() !== latest.map(({ id }) => id).join()) throw new Overtaken()
      const jobs: JobsTable[] = []
      for (const { file, before } of stored) {
        const kept = 'id' in file ? file : await insertFile(tx, file)
        const document_id = before?.document_id
        jobs.push(
          await insertJob(tx, {
            kind: jobKindOf(kept.type),
            file: kept,
            key_id,
            agent_id: agentId,
            knowledge_id: source.id,
            document_id,
          }),
        )
      }
      await detachDocuments(tx, agentId, source.id, gone)
      const row = {
        agent_id: agentId,
        id: source.id,
        description: source.description ?? documents[0]?.name ?? source.id,
        content_hash,
        job_id: jobs.at(-1)?.id ?? known?.job_id ?? null,
      }
      const won = known ? await changeSource(tx, row, known.content_hash) : await insertSource(tx, { ...row, origin })
      if (!won) throw new Overtaken()
      return jobs
    })
    .catch((error: unknown) => {
      if (error instanceof Overtaken) return undefined
      throw error
    })
  if (!jobs) return []
  await beginJobs(context, jobs)
  return jobs
}

/** The latest job of a document: by name, or the only one of a source with a single document. */
function jobOf(
  { name }: SourceDocument,
  documents: readonly SourceDocument[],
  latest: readonly JobsTable[],
): JobsTable | undefined {
  const only = documents.length === 1 && latest.length === 1 ? latest[0] : undefined
  return latest.find((job) => job.name === name) ?? only
}

/** A failure caused by the file itself is not retried until the file changes. */
function isStale(before: JobsTable, { name, sha256 }: SourceDocument, model: string): boolean {
  if (before.sha256 !== sha256 || before.name !== name) return true
  if (before.collection !== null && before.collection !== model) return true
  if (before.status === 'cancelled') return true
  return before.status === 'failed' && (JSON.parse(before.error ?? '{}') as Partial<ErrorBody>).code !== 'unprocessable'
}

class Overtaken extends Error {}

/** Deletes a source with its documents. @throws MuxiError not_found */
export async function removeSource(context: ApiContext, agentId: string, id: string): Promise<void> {
  const { db } = context.storage
  if (!(await findSource(db, agentId, id))) throw notFound('knowledge source', id)
  await forgetDocuments(context, agentId, await db.transaction().execute((tx) => deleteSource(tx, agentId, id)))
}

/** Removes the documents of jobs, finished or running, from the index. */
async function forgetDocuments(context: ApiContext, agentId: string, jobs: readonly JobsTable[]): Promise<void> {
  const { db, blobs, vectors } = context.storage
  for (const job of jobs) {
    if (job.status === 'queued' || job.status === 'running') await cancelJob(context, job).catch(unlessOver)
    await vectors.discard(job.document_id)
    // Copies made for the agent have no other owner; an uploaded file belongs to its user.
    const file = await findFile(db, job.file_id)
    if (file?.user_id !== agentOwner(agentId)) continue
    if (await db.transaction().execute((tx) => deleteFile(tx, file))) await blobs.delete(file.user_id, file.sha256)
  }
}

function unlessOver(error: unknown): void {
  if (!(error instanceof MuxiError) || error.code !== 'conflict') throw error
}

/** Passages of an agent's knowledge, best first. */
export async function searchKnowledge(
  { storage: { db, vectors }, embedder, closing, log }: ApiContext,
  agentId: string,
  { query, top_k, threshold }: { query: string; top_k: number; threshold: number },
): Promise<Passage[]> {
  const [vector] = await embedder.embed([query], closing).catch((error: unknown) => {
    log.warn({ err: error, embedder: embedder.model }, 'a query could not be embedded')
    throw toUpstreamError('The query could not be embedded', error)
  })
  await vectors.ensureCollection({ id: embedder.model, model: embedder.model, dimension: embedder.dimension })
  const found = await findPassages(db, vectors, {
    collection: embedder.model,
    agent_id: agentId,
    scopes: [''],
    text: query,
    vector: vector!,
    top_k,
  })
  return found.filter(({ similarity }) => similarity >= threshold)
}

export interface ConfiguredAgent {
  id: string
  config: { knowledge?: Source[] | undefined }
}

/**
 * Synchronizes the sources that agents name in their descriptions: new, changed and removed ones.
 * A source that cannot be read is logged and left unchanged; the others continue.
 */
export async function syncKnowledge(context: ApiContext, agents: readonly ConfiguredAgent[]): Promise<void> {
  const { storage, log } = context
  const named = new Set<string>()
  for (const { id: agentId, config } of agents) {
    for (const source of config.knowledge ?? []) {
      named.add(`${agentId}/${source.id}`)
      try {
        const documents = await documentsOf(source, {
          dirs: [context.agentsDir, ...context.knowledgeDirs],
          folders: true,
          mayRead: () => undefined,
          file: async (id) => (await findFile(storage.db, id)) ?? Promise.reject(notFound('file', id)),
          limits: context.limits,
        })
        const jobs = await putSource(context, agentId, source, documents, { origin: 'config', key_id: null })
        if (jobs.length > 0)
          log.info({ agent_id: agentId, knowledge_id: source.id, jobs: jobs.length }, 'ingesting knowledge')
      } catch (error) {
        const why = error instanceof MuxiError ? error.message : undefined
        log.error(
          { agent_id: agentId, knowledge_id: source.id, why, ...(why === undefined && { err: error }) },
          'a source of knowledge could not be read',
        )
      }
    }
  }
  for (const { agent_id, id } of await listConfiguredSources(storage.db)) {
    if (!named.has(`${agent_id}/${id}`)) await removeSource(context, agent_id, id)
  }
}
