// Knowledge of agents: their sources.
import type { Insertable } from 'kysely'
import { MuxiError } from '../../contracts/failures.ts'
import type { PageAfter } from '../../contracts/schemas/lists.ts'
import { unreadFiles, type UnreadFile } from '../columns.ts'
import { jobError } from '../job-columns.ts'
import { parseColumn } from '../json-column.ts'
import { differencesOf } from '../dialect.ts'
import type { Db, JobsTable, KnowledgeSourcesTable, Tx } from '../schema.ts'

export interface SourceView extends Pick<KnowledgeSourcesTable, 'id' | 'description' | 'created_at'> {
  document_count: number
  /** Files that could not be read, each with the reason; absent without any. */
  unread?: UnreadFile[]
}

/** Longest list of unread files that is stored or shown. */
const MAX_UNREAD = 100

/** The sources of an agent by id with the number of searchable documents of each; all of them without a page. */
export async function listSources(db: Db, agentId: string, page?: PageAfter): Promise<SourceView[]> {
  let query = db.selectFrom('knowledge_sources').selectAll().where('agent_id', '=', agentId).orderBy('id')
  if (page) query = query.limit(page.limit)
  if (page?.cursor !== undefined) query = query.where('id', '>', page.cursor)
  const sources = await query.execute()
  const counts = await db
    .selectFrom('jobs')
    .select((eb) => ['knowledge_id', eb.fn.count('document_id').distinct().as('n')])
    .where('agent_id', '=', agentId)
    .where('knowledge_id', '>', '')
    .where('status', '=', 'completed')
    .groupBy('knowledge_id')
    .execute()
  const failed = await listFailed(db, agentId)
  return sources.map(({ id, description, created_at, unread: stored }) => {
    const unread = [
      ...(parseColumn(unreadFiles, stored, id) ?? []),
      ...failed.filter(({ knowledge_id }) => knowledge_id === id).map(({ name, reason }) => ({ name, reason })),
    ].slice(0, MAX_UNREAD)
    return {
      id,
      description,
      document_count: Number(counts.find(({ knowledge_id }) => knowledge_id === id)?.n ?? 0),
      created_at,
      ...(unread.length > 0 && { unread }),
    }
  })
}

/** The documents of an agent's sources whose latest job failed. */
async function listFailed(db: Db, agentId: string): Promise<(UnreadFile & { knowledge_id: string | null })[]> {
  const rows = await db
    .selectFrom('jobs')
    .select(['id', 'name', 'knowledge_id', 'error'])
    .where('agent_id', '=', agentId)
    .where('knowledge_id', '>', '')
    .where('status', '=', 'failed')
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('jobs as later')
            .select('later.id')
            .whereRef('later.document_id', '=', 'jobs.document_id')
            .whereRef('later.generation', '>', 'jobs.generation'),
        ),
      ),
    )
    .orderBy('name')
    .limit(MAX_UNREAD)
    .execute()
  return rows.map(({ id, name, knowledge_id, error }) => ({
    name,
    knowledge_id,
    reason: parseColumn(jobError, error, id)?.message ?? 'It could not be read',
  }))
}

/** Records which files of a source could not be read. */
export async function setUnread(db: Db, agentId: string, id: string, unread: readonly UnreadFile[]): Promise<void> {
  await db
    .updateTable('knowledge_sources')
    .set({ unread: unread.length > 0 ? JSON.stringify(unread.slice(0, MAX_UNREAD)) : null })
    .where('agent_id', '=', agentId)
    .where('id', '=', id)
    .execute()
}

export function findSource(db: Db | Tx, agentId: string, id: string): Promise<KnowledgeSourcesTable | undefined> {
  return db
    .selectFrom('knowledge_sources')
    .selectAll()
    .where('agent_id', '=', agentId)
    .where('id', '=', id)
    .executeTakeFirst()
}

export function listConfiguredSources(db: Db): Promise<KnowledgeSourcesTable[]> {
  return db.selectFrom('knowledge_sources').selectAll().where('origin', '=', 'config').execute()
}

/** Locks the source until the transaction ends, also when it does not exist yet: additions and deletions wait. */
export function lockSource(tx: Tx, agentId: string, id: string): Promise<void> {
  return differencesOf(tx).lockNames(tx, [`knowledge/${agentId}/${id}`])
}

/** Creates a source for one more document, unless it exists, and locks it until the transaction ends. @throws MuxiError `conflict` */
export async function joinSource(
  tx: Tx,
  {
    agent_id,
    id,
    description,
    file,
  }: Pick<KnowledgeSourcesTable, 'agent_id' | 'id' | 'description'> & { file: string | null },
): Promise<void> {
  await lockSource(tx, agent_id, id)
  if ((await findSource(tx, agent_id, id))?.origin === 'config')
    throw new MuxiError('conflict', `Cannot add to '${id}': it stands in the agent's own file '${file}'`)
  await insertSource(tx, { agent_id, id, description, origin: 'api', content_hash: '', job_id: null })
}

/** @returns false when the source exists already */
export async function insertSource(
  tx: Db | Tx,
  source: Omit<Insertable<KnowledgeSourcesTable>, 'created_at' | 'unread'>,
): Promise<boolean> {
  const inserted = await tx
    .insertInto('knowledge_sources')
    .values({ ...source, unread: null, created_at: new Date().toISOString() })
    .onConflict((oc) => oc.doNothing())
    .executeTakeFirst()
  return (inserted.numInsertedOrUpdatedRows ?? 0n) > 0n
}

/** Records the new content of a source, unless another process has recorded the same. */
export async function changeSource(
  tx: Tx,
  {
    agent_id,
    id,
    ...changed
  }: Pick<KnowledgeSourcesTable, 'agent_id' | 'id' | 'content_hash' | 'job_id' | 'description'>,
  from: string,
): Promise<boolean> {
  const updated = await tx
    .updateTable('knowledge_sources')
    .set(changed)
    .where('agent_id', '=', agent_id)
    .where('id', '=', id)
    .where('content_hash', '=', from)
    .executeTakeFirst()
  return updated.numUpdatedRows > 0n
}

/** Deletes a source; its jobs are kept as history. @returns the jobs whose documents must be removed from the index */
export async function deleteSource(tx: Tx, agentId: string, id: string): Promise<JobsTable[]> {
  // Waits for concurrent additions, whose jobs must be among those below.
  await lockSource(tx, agentId, id)
  await tx.deleteFrom('knowledge_sources').where('agent_id', '=', agentId).where('id', '=', id).execute()
  const jobs = await tx
    .selectFrom('jobs')
    .selectAll()
    .where('agent_id', '=', agentId)
    .where('knowledge_id', '=', id)
    .execute()
  await tx
    .updateTable('jobs')
    .set({ knowledge_id: null })
    .where('agent_id', '=', agentId)
    .where('knowledge_id', '=', id)
    .execute()
  return jobs
}

/** For each document of a source its latest job, finished or running; by id. */
export async function listLatestJobs(db: Db | Tx, agentId: string, id: string): Promise<JobsTable[]> {
  const jobs = await db
    .selectFrom('jobs')
    .selectAll()
    .where('agent_id', '=', agentId)
    .where('knowledge_id', '=', id)
    .orderBy('id')
    .execute()
  const latest = new Map(jobs.map((job) => [job.document_id, job]))
  return [...latest.values()]
}

/** Removes documents from a source; their jobs are kept as history. */
export async function detachDocuments(
  tx: Tx,
  agentId: string,
  id: string,
  documents: readonly Pick<JobsTable, 'document_id'>[],
): Promise<void> {
  for (const { document_id } of documents) {
    await tx
      .updateTable('jobs')
      .set({ knowledge_id: null })
      .where('document_id', '=', document_id)
      .where('agent_id', '=', agentId)
      .where('knowledge_id', '=', id)
      .execute()
  }
}
