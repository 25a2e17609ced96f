// What is stored of one user in rows of several kinds: what runs, what is exported, and what is deleted besides conversations.
import { memoryScope } from '../../contracts/memory.ts'
import type { Db, JobsTable, TurnsTable, Tx } from '../schema.ts'
import { forgetSpending } from './budgets.ts'
import { withHidden } from './child-turns.ts'
import { deleteContextMemory } from './context-memory.ts'
import { deleteJobs } from './jobs.ts'
import { deleteMemories, type MemoryOwner } from './memories.ts'

/** Turns of a user, or of an agent, that have not ended: those that wait first, because they end at once. */
export function listUnfinishedTurns(
  db: Db,
  of: Pick<TurnsTable, 'user_id'> | Pick<TurnsTable, 'agent_id'>,
): Promise<TurnsTable[]> {
  return db
    .selectFrom('turns')
    .selectAll()
    .where((eb) => eb.and(of))
    .where('finished_at', 'is', null)
    .orderBy('activated_at', (by) => by.asc())
    .orderBy('id', 'desc')
    .execute()
}

export function listUnfinishedJobsOf(db: Db, userId: string): Promise<JobsTable[]> {
  return db
    .selectFrom('jobs')
    .selectAll()
    .where('user_id', '=', userId)
    .where('status', 'in', ['queued', 'running'])
    .execute()
}

/** Texts of a conversation whose vectors may be cached: its messages, as they are compared and searched. */
export async function listTextsOf(db: Db, { conversation_id }: { conversation_id: string }): Promise<string[]> {
  const rows = await db
    .selectFrom('messages')
    .select('content')
    .where('conversation_id', 'in', withHidden(db, conversation_id))
    .execute()
  return rows.map(({ content }) => content)
}

export interface IndexedDocument {
  id: string
  /** The texts of its passages. */
  passages: string[]
}

/** Documents of the index: of a conversation, of everything else of a user, or of what an agent remembers of a user. */
export async function listDocumentsOf(
  db: Db,
  of: { conversation_id: string } | { user_id: string } | MemoryOwner,
): Promise<IndexedDocument[]> {
  const rows = await db
    .selectFrom('chunks')
    .select(['document_id', 'content'])
    .where((eb) => eb.or(documentsOf(db, of).map((ids) => eb('document_id', 'in', ids))))
    .execute()
  return [...Map.groupBy(rows, ({ document_id }) => document_id)].map(([id, chunks]) => {
    return { id, passages: chunks.map(({ content }) => content) }
  })
}

function documentsOf(db: Db, of: { conversation_id: string } | { user_id: string } | MemoryOwner) {
  const jobs = db.selectFrom('jobs').select('document_id as id')
  const memories = db.selectFrom('memories').select('id')
  if ('conversation_id' in of)
    return [
      jobs.where('conversation_id', '=', of.conversation_id),
      memories.where('conversation_id', '=', of.conversation_id),
    ]
  if ('agent_id' in of) return [memories.where('user_id', '=', of.user_id).where('agent_id', '=', of.agent_id)]
  // Also what an interrupted deletion has left.
  const scope = memoryScope(of.user_id)
  return [jobs.where('user_id', '=', of.user_id), db.selectFrom('documents').select('id').where('scope', '=', scope)]
}

export interface DeletedRows {
  documents: string[]
  memories: number
  jobs: number
  keys: number
  /** Top-level names of the context memory. */
  fields: string[]
}

/**
 * Deletes what is stored of a user besides conversations and files. The caller removes the documents from the index.
 * @returns undefined, with nothing deleted, while the user has a conversation
 */
export async function deleteRowsOf(tx: Tx, userId: string): Promise<DeletedRows | undefined> {
  const conversation = await tx
    .selectFrom('conversations')
    .select('id')
    .where('user_id', '=', userId)
    .limit(1)
    .execute()
  if (conversation.length > 0) return undefined
  const memories = await deleteMemories(tx, { user_id: userId })
  const fields = await deleteContextMemory(tx, userId)
  const own = tx.selectFrom('jobs').select('id').where('user_id', '=', userId)
  // Sources that were made from the user's files.
  await tx.deleteFrom('knowledge_sources').where('job_id', 'in', own).execute()
  const documents = await deleteJobs(tx, own)
  for (const table of ['mcp_grants', 'mcp_sign_ins', 'approvals'] as const)
    await tx.deleteFrom(table).where('user_id', '=', userId).execute()
  const own_keys = await tx.selectFrom('api_keys').select(['id', 'hash']).where('user_id', '=', userId).execute()
  const ids = ['', ...own_keys.map(({ id }) => id)]
  // The keys first, as where one is deleted.
  const deleted = await tx.deleteFrom('api_keys').where('id', 'in', ids).executeTakeFirst()
  await tx
    .deleteFrom('tickets')
    .where('key_hash', 'in', ['', ...own_keys.map(({ hash }) => hash)])
    .execute()
  await tx.deleteFrom('idempotency_keys').where('key_id', 'in', ids).execute()
  await forgetSpending(tx, 'key', ids)
  await forgetUsageOf(tx, userId)
  return {
    documents: [...memories.documents, ...documents],
    memories: memories.documents.length,
    jobs: documents.length,
    keys: Number(deleted.numDeletedRows),
    fields,
  }
}

/** Deletes the budget and the counters of a user, and takes its name from the rows of requests, which stay. */
export async function forgetUsageOf(tx: Tx, userId: string): Promise<void> {
  // Lock ordering: a request that ends locks its row before the counters.
  await tx.updateTable('model_usage').set({ user_id: null }).where('user_id', '=', userId).execute()
  await forgetSpending(tx, 'user', [userId])
}

/** Deletes the intent rows of blobs whose bytes were removed. */
export async function deleteNotesOf(db: Db, owner: string): Promise<void> {
  await db.deleteFrom('noted_blobs').where('owner', '=', owner).execute()
}
