// How the documents of a knowledge source differ from its jobs, and the rows that bring it up to them.
import { createHash } from 'node:crypto'
import { MuxiError } from '../../contracts/failures.ts'
import { jobError } from '../../db/job-columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import { agentOwner, holdFileOrThrow, insertFile, type NewFile } from '../../db/queries/files.ts'
import { insertJob } from '../../db/queries/jobs.ts'
import {
  changeSource,
  detachDocuments,
  findSource,
  insertSource,
  listLatestJobs,
  lockSource,
} from '../../db/queries/knowledge.ts'
import type { FilesTable, JobsTable, KnowledgeSourcesTable, Tx } from '../../db/schema.ts'
import { mediaTypeOf } from '../../media/kind/media-type.ts'
import { jobKindOf } from './attachments.ts'
import type { ApiContext } from './context.ts'
import type { Source, SourceContent, SourceDocument } from './knowledge-content.ts'

/** What differs between a source's documents and its jobs. */
interface FoundChange {
  agentId: string
  source: Pick<Source, 'id' | 'description'>
  content_hash: string
  description: string
  known: KnowledgeSourcesTable | undefined
  latest: readonly JobsTable[]
  changed: readonly { document: SourceDocument; before: JobsTable | undefined }[]
  /** The jobs whose documents are no longer part of the source. */
  gone: readonly JobsTable[]
}

export interface SourceChange extends FoundChange {
  stored: readonly { file: NewFile | FilesTable; before: JobsTable | undefined }[]
}

/** @returns undefined when nothing differs */
export async function findChange(
  { storage: { db }, index }: ApiContext,
  agentId: string,
  source: Pick<Source, 'id' | 'description'>,
  { documents, unread }: SourceContent,
): Promise<FoundChange | undefined> {
  const { collection } = await index.serving()
  const content_hash = createHash('sha256')
    .update(JSON.stringify([collection, ...documents.map(({ name, sha256 }) => [name, sha256])]))
    .digest('hex')
  const known = await findSource(db, agentId, source.id)
  const latest = await listLatestJobs(db, agentId, source.id)
  const pairs = documents.map((document) => ({ document, before: jobOf(document, documents, latest) }))
  const changed = pairs.filter(({ document, before }) => !before || isStale(before, document, collection))
  const isUnread = (name: string) =>
    unread.some((file) => file.name === name || (file.name.endsWith('/') && name.startsWith(file.name)))
  const gone = latest.filter((job) => !pairs.some(({ before }) => before === job) && !isUnread(job.name))
  if (known?.content_hash === content_hash && changed.length === 0 && gone.length === 0) return undefined
  const description = source.description ?? documents[0]?.name ?? source.id
  return { agentId, source, content_hash, description, known, latest, changed, gone }
}

/** Stores the bytes of changed documents; those that no row refers to in the end are removed by the sweeper. */
export async function storeDocuments(
  { storage: { blobs } }: ApiContext,
  change: FoundChange,
  key_id: string | null,
): Promise<SourceChange> {
  const owner = agentOwner(change.agentId)
  const stored: { file: NewFile | FilesTable; before: JobsTable | undefined }[] = []
  for (const { document, before } of change.changed) {
    if ('file' in document) stored.push({ file: document.file, before })
    else {
      const received = await blobs.receive(document.open())
      await received.keep(owner)
      const { sha256, size, head } = received
      const { name } = document
      stored.push({ file: { user_id: owner, key_id, name, type: mediaTypeOf(head, name), size, sha256 }, before })
    }
  }
  return { ...change, stored }
}

/** Writes the rows of a change. @returns the jobs to start after the commit @throws Overtaken */
export async function applyChange(
  tx: Tx,
  { agentId, source, content_hash, description, known, latest, stored, gone }: SourceChange,
  { origin, key_id }: { origin: 'config' | 'api'; key_id: string | null },
): Promise<JobsTable[]> {
  await lockSource(tx, agentId, source.id)
  const now = await listLatestJobs(tx, agentId, source.id)
  // Another process was faster: what has been inserted goes again with the transaction.
  if (now.map(({ id }) => id).join() !== latest.map(({ id }) => id).join()) throw new Overtaken(source.id)
  const jobs: JobsTable[] = []
  for (const { file, before } of stored) {
    const kept = 'id' in file ? file : await insertFile(tx, file)
    if ('id' in file) await holdFileOrThrow(tx, file.id)
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
    description,
    content_hash,
    job_id: jobs.at(-1)?.id ?? known?.job_id ?? null,
  }
  const won = known ? await changeSource(tx, row, known.content_hash) : await insertSource(tx, { ...row, origin })
  if (!won) throw new Overtaken(source.id)
  return jobs
}

/** Another process has changed the source meanwhile. */
export class Overtaken extends MuxiError {
  constructor(id: string) {
    super('conflict', `Cannot add the knowledge: the source '${id}' was changed at the same time`)
  }
}

/** The job that last read a document: by its name, or the only one of a source that is a single document. */
function jobOf(
  { name }: SourceDocument,
  documents: readonly SourceDocument[],
  latest: readonly JobsTable[],
): JobsTable | undefined {
  const only = documents.length === 1 && latest.length === 1 ? latest[0] : undefined
  return latest.find((job) => job.name === name) ?? only
}

/** What the file itself is to blame for stays as it is until the file changes. */
function isStale(before: JobsTable, { name, sha256 }: SourceDocument, collection: string): boolean {
  if (before.sha256 !== sha256 || before.name !== name) return true
  if (before.collection !== null && before.collection !== collection) return true
  if (before.status === 'cancelled') return true
  return before.status === 'failed' && parseColumn(jobError, before.error, before.id)?.code !== 'unprocessable'
}
