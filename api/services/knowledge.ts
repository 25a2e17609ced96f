// What an agent knows: sources added, listed, removed and searched; those that agent files name are kept as the files say.
import { MuxiError, notFound, wrongField } from '../../contracts/failures.ts'
import type { KnowledgeRequest } from '../../contracts/schemas/jobs.ts'
import { jobError } from '../../db/job-columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import { agentOwner, deleteFile, findFile } from '../../db/queries/files.ts'
import { findJob } from '../../db/queries/jobs.ts'
import {
  deleteSource,
  findSource,
  insertSource,
  listConfiguredSources,
  listSources,
  setUnread,
  type SourceView,
} from '../../db/queries/knowledge.ts'
import { newId } from '../../contracts/ids.ts'
import type { Principal } from '../../db/queries/keys.ts'
import type { Passage } from '../../db/queries/recalls.ts'
import type { JobsTable, Tx } from '../../db/schema.ts'
import { findPassages } from '../../vectors/find-passages.ts'
import { authorize } from './access.ts'
import type { ApiContext } from './context.ts'
import { getFileOrThrow } from './files.ts'
import { beginJobs, cancelJob, waitForJob } from './jobs.ts'
import { applyChange, findChange, Overtaken, storeDocuments, type SourceChange } from './knowledge-change.ts'
import { contentOf, type Access, type Source, type SourceContent } from './knowledge-content.ts'
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
  const content = await contentOf(source, accessOf(context, principal))
  const [job] = await putSource(context, agentId, source, content, { origin: 'api', key_id: principal.key_id })
  if (!job) throw taken(source.id)
  if (!source.background)
    await waitForJob(context, job.id, AbortSignal.any([AbortSignal.timeout(WAIT_MS), context.closing]))
  const ended = (await findJob(db, job.id)) ?? job
  if (ended.status === 'failed') {
    await removeSource(context, agentId, source.id)
    const error = parseColumn(jobError, ended.error, ended.id)
    throw new MuxiError(error?.code ?? 'internal_error', error?.message ?? 'The job failed', {
      details: { ...error?.details, job_id: job.id },
    })
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

/** The knowledge of an agent that is being created, read and with its bytes stored. */
export interface PreparedSources {
  /** Inserts the sources and their jobs. @throws MuxiError conflict */
  insert(tx: Tx): Promise<{ id: string; job_id: string | undefined }[]>
  /** After the commit: starts the jobs. */
  begin(): Promise<void>
}

/** Checks and reads what an agent that is being created is to know. @param fromFile whether a file of the operator names it @throws MuxiError */
export async function prepareSources(
  context: ApiContext,
  principal: Principal,
  agentId: string,
  sources: readonly Source[],
  fromFile = false,
): Promise<PreparedSources> {
  const twice = sources.findIndex(({ id }, index) => sources.findIndex((other) => other.id === id) < index)
  if (twice >= 0) throw wrongSource(twice, 'id', 'an id that no other source has')
  const dirs = fromFile ? [context.agentsDir, ...context.knowledgeDirs] : context.knowledgeDirs
  const access = { ...accessOf(context, principal), dirs, folders: fromFile }
  const read: { source: Source; content: SourceContent }[] = []
  for (const [index, source] of sources.entries()) {
    const content = await contentOf(source, access).catch((error: unknown) => {
      const [field] =
        ((error instanceof MuxiError ? error.details?.['fields'] : undefined) as { expected: string }[]) ?? []
      throw field ? wrongSource(index, 'path', field.expected) : error
    })
    read.push({ source, content })
  }
  const changes: SourceChange[] = []
  for (const { source, content } of read) {
    const change = await findChange(context, agentId, source, content)
    if (change) changes.push(await storeDocuments(context, change, principal.key_id))
  }
  const started: JobsTable[] = []
  return {
    async insert(tx) {
      const added: { id: string; job_id: string | undefined }[] = []
      for (const { id } of sources) {
        const change = changes.find(({ source }) => source.id === id)
        const jobs = change ? await applyChange(tx, change, { origin: 'api', key_id: principal.key_id }) : []
        added.push({ id, job_id: jobs[0]?.id })
        started.push(...jobs)
      }
      return added
    },
    async begin() {
      // Documents of an earlier agent of this id. The agent exists now, so a failure here must not fail the request.
      for (const { gone } of changes)
        await forgetDocuments(context, agentId, gone).catch((error: unknown) =>
          context.log.error({ err: error, agent_id: agentId }, 'documents of an earlier agent could not be removed'),
        )
      await beginJobs(context, started)
    },
  }
}

function wrongSource(index: number, field: string, expected: string): MuxiError {
  return wrongField('create the agent', `knowledge.${index}.${field}`, expected)
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
  content: SourceContent,
  { origin, key_id }: { origin: 'config' | 'api'; key_id: string | null },
): Promise<JobsTable[]> {
  const found = await findChange(context, agentId, source, content)
  if (!found) return []
  // Before their rows say so: when interrupted here, the caller repeats it.
  await forgetDocuments(context, agentId, found.gone)
  const change = await storeDocuments(context, found, key_id)
  const jobs = await context.storage.db
    .transaction()
    .execute((tx) => applyChange(tx, change, { origin, key_id }))
    .catch((error: unknown) => {
      if (error instanceof Overtaken) return undefined
      throw error
    })
  if (!jobs) return []
  await beginJobs(context, jobs)
  return jobs
}

/** Removes a source, and what is known from it. @throws MuxiError not_found */
export async function removeSource(context: ApiContext, agentId: string, id: string): Promise<void> {
  const { db } = context.storage
  if (!(await findSource(db, agentId, id))) throw notFound('knowledge source', id)
  await forgetDocuments(context, agentId, await db.transaction().execute((tx) => deleteSource(tx, agentId, id)))
}

/** Removes the documents of jobs, finished or running, from the index. */
async function forgetDocuments(context: ApiContext, agentId: string, jobs: readonly JobsTable[]): Promise<void> {
  const { vectors } = context
  const { db, blobs } = context.storage
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
  { storage: { db }, index, closing, log }: ApiContext,
  principal: Principal,
  agentId: string,
  { query, top_k, threshold }: { query: string; top_k: number; threshold: number },
): Promise<Passage[]> {
  const asked = { agent_id: agentId, scopes: [''], text: query, top_k }
  const booked = {
    stream_id: newId('req'),
    owner: { key_id: principal.key_id, user_id: principal.bound_user ?? null, agent_id: agentId },
  }
  const found = await findPassages({ db, index }, asked, booked, closing).catch((error: unknown) => {
    log.warn({ err: error }, 'a search failed')
    throw toUpstreamError('The query could not be embedded', error)
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
        const content = await contentOf(source, {
          dirs: [context.agentsDir, ...context.knowledgeDirs],
          folders: true,
          mayRead: () => undefined,
          file: async (id) => (await findFile(storage.db, id)) ?? Promise.reject(notFound('file', id)),
          limits: context.limits,
        })
        const jobs = await putSource(context, agentId, source, content, { origin: 'config', key_id: null })
        await setUnread(storage.db, agentId, source.id, content.unread)
        if (jobs.length > 0)
          log.info({ agent_id: agentId, knowledge_id: source.id, jobs: jobs.length }, 'ingesting knowledge')
      } catch (error) {
        const why = error instanceof MuxiError ? error.message : undefined
        const empty = { agent_id: agentId, id: source.id, description: source.description ?? source.id }
        await insertSource(storage.db, { ...empty, origin: 'config', content_hash: '', job_id: null })
        await setUnread(storage.db, agentId, source.id, [{ name: '', reason: why ?? 'It could not be read' }])
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
