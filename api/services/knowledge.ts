// What an agent knows: sources added, listed, removed and searched; those that agent files name are kept as the files say.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { basename, isAbsolute, resolve, sep } from 'node:path'
import { Readable } from 'node:stream'
import { MuxiError, notFound, type ErrorBody } from '../../contracts/failures.ts'
import type { AgentInput } from '../../contracts/schemas/agent.ts'
import type { KnowledgeRequest } from '../../contracts/schemas/jobs.ts'
import { agentOwner, deleteFile, findFile, insertFile } from '../../db/queries/files.ts'
import { findJob, insertJob } from '../../db/queries/jobs.ts'
import {
  changeSource,
  deleteSource,
  findPassages,
  findSource,
  insertSource,
  listConfiguredSources,
  listSources,
  type Passage,
  type SourceView,
} from '../../db/queries/knowledge.ts'
import type { Principal } from '../../db/queries/keys.ts'
import type { FilesTable, JobsTable } from '../../db/schema.ts'
import { authorize } from './access.ts'
import { typeOf } from './attachments.ts'
import type { ApiContext } from './context.ts'
import { getFileOrThrow } from './files.ts'
import { beginJob, cancelJob, waitForJob } from './jobs.ts'

/** How long an addition waits for its job before it is left to the background. */
const WAIT_MS = 120_000

type Source = NonNullable<AgentInput['knowledge']>[number]
/** Of a file that is stored, or of bytes that are yet to be. */
type Content = { file: FilesTable } | { name: string; open: () => AsyncIterable<Uint8Array> }

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
  const content = await contentOf(context, source, {
    dirs: context.knowledgeDirs,
    before: () => authorize(principal, 'admin'),
    file: (id) => getFileOrThrow(context, principal, id),
  })
  const job = await putSource(context, agentId, source, content, { origin: 'api', key_id: principal.key_id })
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

interface Access {
  dirs: readonly string[]
  before: () => void
  file: (id: string) => Promise<FilesTable>
}

async function contentOf({ limits }: ApiContext, source: Source, { dirs, before, file }: Access): Promise<Content> {
  if ('content' in source) return { name: `${source.id}.md`, open: () => Readable.from([Buffer.from(source.content)]) }
  if ('file_id' in source) return { file: await file(source.file_id) }
  before()
  const path = await findBelow(source.path, dirs)
  const { size } = await stat(path)
  if (size > limits.upload_bytes)
    throw new MuxiError(
      'payload_too_large',
      `Cannot add the knowledge: the file must be at most ${limits.upload_bytes} bytes`,
    )
  return { name: basename(path), open: () => createReadStream(path) }
}

/** The real path of a file, after links, when it is below one of the folders. @throws MuxiError */
export async function findBelow(path: string, dirs: readonly string[]): Promise<string> {
  for (const dir of dirs) {
    const root = await realpath(dir).catch(() => undefined)
    const real = root && (await realpath(isAbsolute(path) ? path : resolve(root, path)).catch(() => undefined))
    if (real && real.startsWith(root + sep) && (await stat(real)).isFile()) return real
  }
  throw new MuxiError('bad_request', "Cannot add the knowledge: 'path' must be a file below MUXI_KNOWLEDGE_DIRS", {
    details: { fields: [{ path: 'path', expected: 'a file below MUXI_KNOWLEDGE_DIRS' }] },
  })
}

/**
 * Brings a source up to its content: new, or changed since it was ingested. The content is known by its hash, so nothing is embedded twice.
 * @returns the job that ingests it; undefined when it is as it was, or another process has just done the same
 */
async function putSource(
  context: ApiContext,
  agentId: string,
  source: Pick<Source, 'id' | 'description'>,
  content: Content,
  { origin, key_id }: { origin: 'config' | 'api'; key_id: string | null },
): Promise<JobsTable | undefined> {
  const { storage, embedder } = context
  const { db, blobs } = storage
  const received = 'file' in content ? undefined : await blobs.receive(content.open())
  const sha256 = 'file' in content ? content.file.sha256 : received!.sha256
  const content_hash = createHash('sha256').update(`${embedder.model}\n${sha256}`).digest('hex')
  const known = await findSource(db, agentId, source.id)
  const before = known?.job_id ? await findJob(db, known.job_id) : undefined
  if (known?.content_hash === content_hash && before && !isWorthAnother(before)) {
    await received?.discard()
    return undefined
  }
  await received?.keep(agentOwner(agentId))
  const job = await db
    .transaction()
    .execute(async (tx) => {
      const file =
        'file' in content
          ? content.file
          : await insertFile(tx, {
              user_id: agentOwner(agentId),
              key_id,
              name: content.name,
              type: typeOf(received!.head, content.name),
              size: received!.size,
              sha256,
            })
      const job = await insertJob(tx, {
        file,
        key_id,
        agent_id: agentId,
        knowledge_id: source.id,
        document_id: before?.document_id,
      })
      const row = {
        agent_id: agentId,
        id: source.id,
        description: source.description ?? file.name,
        content_hash,
        job_id: job.id,
      }
      const won = known ? await changeSource(tx, row, known.content_hash) : await insertSource(tx, { ...row, origin })
      // Another process was faster: what was just inserted goes again with the transaction.
      if (!won) throw new Overtaken()
      return job
    })
    .catch((error: unknown) => {
      if (error instanceof Overtaken) return undefined
      throw error
    })
  if (job) await beginJob(context, job)
  return job
}

/** What the file itself is to blame for stays as it is until the file changes. */
function isWorthAnother({ status, error }: JobsTable): boolean {
  return (
    status === 'cancelled' ||
    (status === 'failed' && (JSON.parse(error ?? '{}') as Partial<ErrorBody>).code !== 'unprocessable')
  )
}

class Overtaken extends Error {}

/** Removes a source, and what is known from it. @throws MuxiError not_found */
export async function removeSource(context: ApiContext, agentId: string, id: string): Promise<void> {
  const { db, blobs, vectors } = context.storage
  if (!(await findSource(db, agentId, id))) throw notFound('knowledge source', id)
  const jobs = await db.transaction().execute((tx) => deleteSource(tx, agentId, id))
  for (const job of jobs) {
    if (job.status === 'queued' || job.status === 'running') await cancelJob(context, job)
    await vectors.discard(job.document_id)
    // What was copied for the agent belongs to nobody else; an uploaded file is still its user's.
    const file = await findFile(db, job.file_id)
    if (file?.user_id !== agentOwner(agentId)) continue
    if (await db.transaction().execute((tx) => deleteFile(tx, file))) await blobs.delete(file.user_id, file.sha256)
  }
}

/** Passages of an agent's knowledge, best first. */
export async function searchKnowledge(
  { storage: { db, vectors }, embedder, closing }: ApiContext,
  agentId: string,
  { query, top_k, threshold }: { query: string; top_k: number; threshold: number },
): Promise<Passage[]> {
  const [vector] = await embedder.embed([query], closing)
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
 * Brings the sources that agents name in their own descriptions up to date: new, changed and vanished ones.
 * A source that cannot be read is told and left as it was; the others go on.
 */
export async function syncKnowledge(context: ApiContext, agents: readonly ConfiguredAgent[]): Promise<void> {
  const { storage, log } = context
  const named = new Set<string>()
  for (const { id: agentId, config } of agents) {
    for (const source of config.knowledge ?? []) {
      named.add(`${agentId}/${source.id}`)
      try {
        const content = await contentOf(context, source, {
          dirs: [context.agentsDir, ...context.knowledgeDirs],
          before: () => undefined,
          file: async (id) => (await findFile(storage.db, id)) ?? Promise.reject(notFound('file', id)),
        })
        const job = await putSource(context, agentId, source, content, { origin: 'config', key_id: null })
        if (job) log.info({ agent_id: agentId, knowledge_id: source.id, job_id: job.id }, 'ingesting knowledge')
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
