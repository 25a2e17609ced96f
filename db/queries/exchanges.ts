// Turns of a user with an agent over all of their conversations, without hidden conversations and replaced turns.
import type { Db, TurnsTable } from '../schema.ts'

export interface ExchangeFilter {
  user_id: string
  /** Of the conversation; a turn in it may have been handed over. */
  agent_id: string
  conversation_id?: string | undefined
  /** The id of a turn. */
  before?: string | undefined
  limit: number
}

/** Newest first. */
export function listExchanges(
  db: Db,
  { user_id, agent_id, conversation_id, before, limit }: ExchangeFilter,
): Promise<TurnsTable[]> {
  let query = db
    .selectFrom('turns')
    .innerJoin('conversations', 'conversations.id', 'turns.conversation_id')
    .selectAll('turns')
    .where('turns.user_id', '=', user_id)
    .where('conversations.agent_id', '=', agent_id)
    .where('conversations.hidden_in', 'is', null)
    .where('turns.superseded_by', 'is', null)
    .where('turns.parent_turn_id', 'is', null)
    .orderBy('turns.id', 'desc')
    .limit(limit)
  if (conversation_id !== undefined) query = query.where('turns.conversation_id', '=', conversation_id)
  if (before !== undefined) query = query.where('turns.id', '<', before)
  return query.execute()
}

/** The id of a user's turn, by one of its messages. */
export async function findTurnOfMessage(db: Db, userId: string, messageId: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('turns')
    .select('id')
    .where('user_id', '=', userId)
    .where((is) => is.or([is('message_id', '=', messageId), is('user_message_id', '=', messageId)]))
    .executeTakeFirst()
  return row?.id
}
