// Long-term memory in rows: which messages of a user an agent remembers. Their passages are in the vector index under the same ids.
import { sql } from 'kysely'
import type { Db, MemoriesTable, MessagesTable, Tx } from '../schema.ts'
import type { OutboxRow } from './memory-outbox.ts'

/** Whose memory: one user's, with one agent. */
export interface MemoryOwner {
  agent_id: string
  user_id: string
}

export type SaidMessage = Pick<MessagesTable, 'id' | 'role' | 'content' | 'created_at'>

/** The messages of an ended turn that were said: without one that was never accepted, and without blank ones. */
export async function listSaid(db: Db, turnId: string): Promise<SaidMessage[]> {
  const rows = await db
    .selectFrom('messages')
    .select(['id', 'role', 'content', 'created_at', 'status'])
    .where('turn_id', '=', turnId)
    .orderBy('id')
    .execute()
  return rows.filter(({ role, status, content }) => !(role === 'user' && status === 'failed') && content.trim() !== '')
}

/** Remembers messages; a message is remembered once. */
export async function insertMemories(tx: Tx, memories: MemoriesTable[]): Promise<void> {
  if (memories.length === 0) return
  await tx
    .insertInto('memories')
    .values(memories)
    .onConflict((oc) => oc.doNothing())
    .execute()
}

/** Of the ids, those that are remembered. */
export async function findRemembered(db: Db, ids: string[]): Promise<Set<string>> {
  const rows = await db
    .selectFrom('memories')
    .select('id')
    .where('id', 'in', ['', ...ids])
    .execute()
  return new Set(rows.map(({ id }) => id))
}

export type MemoryFact = Pick<MemoriesTable, 'id' | 'message_id' | 'conversation_id' | 'role' | 'said_at'>

/** Of the ids, those that are the owner's: the partition is checked again by the rows. */
export async function findMemories(
  db: Db,
  { agent_id, user_id }: MemoryOwner,
  ids: string[],
): Promise<Map<string, MemoryFact>> {
  // The owner is compared here: with it in the statement SQLite reads all memories of the owner instead of these few.
  const rows = await db
    .selectFrom('memories')
    .selectAll()
    .where('id', 'in', ['', ...ids])
    .execute()
  const own = rows.filter((row) => row.user_id === user_id && row.agent_id === agent_id)
  return new Map(own.map((row) => [row.id, row]))
}

/** The users of whom an agent remembers something, or is about to. */
export async function listMemoryOwners(db: Db, agentId: string): Promise<string[]> {
  const remembered = db.selectFrom('memories').select('user_id').where('agent_id', '=', agentId)
  const rows = await remembered
    .union(db.selectFrom('memory_outbox').select('user_id').where('agent_id', '=', agentId))
    .execute()
  return rows.map(({ user_id }) => user_id)
}

export interface MemoryView {
  id: string
  content: string
  role: 'user' | 'assistant'
  created_at: string
  message_id: string
}

/** Newest first. */
export function listMemories(
  db: Db,
  { agent_id, user_id }: MemoryOwner,
  limit: number,
  cursor: string | undefined,
): Promise<MemoryView[]> {
  return views(db, user_id, limit, cursor)
    .select(['memories.id', 'messages.content', 'memories.role', 'said_at as created_at', 'message_id'])
    .where('agent_id', '=', agent_id)
    .execute()
}

/** Of every agent, newest first. */
export function listMemoriesOf(
  db: Db,
  userId: string,
  limit: number,
  cursor: string | undefined,
): Promise<(MemoryView & { agent_id: string })[]> {
  return views(db, userId, limit, cursor)
    .select(['memories.id', 'agent_id', 'messages.content', 'memories.role', 'said_at as created_at', 'message_id'])
    .execute()
}

function views(db: Db, userId: string, limit: number, cursor: string | undefined) {
  return db
    .selectFrom('memories')
    .innerJoin('messages', 'messages.id', 'memories.message_id')
    .where('user_id', '=', userId)
    .$if(cursor !== undefined, (rows) => rows.where('message_id', '<', (cursor ?? '').replace(/^mem_/, 'msg_')))
    .orderBy('message_id', 'desc')
    .limit(limit)
}

/** Which memories: all of a user, of a user with one agent, of a conversation, or of it from one message on. */
export type ForgottenMemories =
  | { user_id: string; agent_id?: string }
  | { conversation_id: string; from?: Pick<MessagesTable, 'id' | 'turn_id'> }

/**
 * Deletes memories, and what is still to be remembered. The caller removes the documents from the index after the commit.
 * A row of the outbox that a worker has claimed stays, marked: that worker, or the next one, removes what it has indexed.
 */
export async function deleteMemories(tx: Tx, which: ForgottenMemories): Promise<{ documents: string[] }> {
  const { from, ...owner } = { from: undefined, ...which }
  const concerned = Object.entries(owner).map(([column, value]) => sql<boolean>`${sql.ref(column)} = ${value}`)
  const condition = sql<boolean>`${sql.join(concerned, sql` and `)}`
  // Before the memories: a worker that is storing its memories holds the row until it has committed them.
  await tx
    .updateTable('memory_outbox')
    .set({ forgotten: 1 })
    .where(condition)
    .where('turn_id', '>=', from?.turn_id ?? '')
    .where('claimed_at', 'is not', null)
    .execute()
  await tx
    .deleteFrom('memory_outbox')
    .where(condition)
    .where('turn_id', '>=', from?.turn_id ?? '')
    .where('claimed_at', 'is', null)
    .execute()
  const deleted = await tx
    .deleteFrom('memories')
    .where(condition)
    .where('message_id', '>=', from?.id ?? '')
    .returning('id')
    .execute()
  return { documents: deleted.map(({ id }) => id) }
}

/** The messages of a turn in the outbox, as memories. */
export function toMemories(turn: OutboxRow, said: readonly SaidMessage[], idOf: (messageId: string) => string) {
  const { agent_id, user_id, conversation_id } = turn
  return said.map(({ id: message_id, role, created_at: said_at }): MemoriesTable => {
    return { id: idOf(message_id), agent_id, user_id, conversation_id, message_id, role, said_at }
  })
}
