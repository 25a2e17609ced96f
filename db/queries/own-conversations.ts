// Conversations of turns that brought their own: each is hidden in itself, so that no list shows it.
import type { ConversationsTable, Db, Tx } from '../schema.ts'
import { lockConversation } from './conversations.ts'

/** Creates the conversation of a turn that brings its own: hidden in itself. */
export async function createOwnConversation(
  tx: Tx,
  { id, agent_id, user_id }: Pick<ConversationsTable, 'id' | 'agent_id' | 'user_id'>,
): Promise<void> {
  const created_at = new Date().toISOString()
  await tx
    .insertInto('conversations')
    .values({ id, agent_id, user_id, title: null, default_for: null, created_at, hidden_in: id })
    .execute()
}

/** Conversations of turns that brought their own, made before a time, for the sweeper; by id. */
export async function listOwnConversations(db: Db, before: string, limit: number, after: string): Promise<string[]> {
  const rows = await db
    .selectFrom('conversations')
    .select('id')
    .where('hidden_in', 'is not', null)
    .whereRef('hidden_in', '=', 'id')
    .where('created_at', '<', before)
    .where('id', '>', after)
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.map(({ id }) => id)
}

/** Whether no turn of the conversation, or of those that are hidden in it, is unfinished. */
export async function isIdle(tx: Tx, id: string): Promise<boolean> {
  await lockConversation(tx, id)
  const unfinished = await tx
    .selectFrom('turns')
    .innerJoin('conversations', 'conversations.id', 'turns.conversation_id')
    .select('turns.id')
    .where('conversations.hidden_in', '=', id)
    .where('turns.finished_at', 'is', null)
    .executeTakeFirst()
  return !unfinished
}
