// Conversations and messages by the names that their clients gave them.
import { newId } from '../../contracts/ids.ts'
import { parseAttachments } from './conversations.ts'
import { isCurrent } from './superseded.ts'
import type { Attachment } from '../columns.ts'
import type { Db, Tx, TurnsTable } from '../schema.ts'

export interface ExternalConversation {
  user_id: string
  agent_id: string
  external_id: string
}

/** The id of the user's conversation with the agent that has the client's name. */
export async function findExternal(
  db: Db | Tx,
  { user_id, agent_id, external_id }: ExternalConversation,
): Promise<string | undefined> {
  const row = await db
    .selectFrom('conversations')
    .select('id')
    .where('user_id', '=', user_id)
    .where('agent_id', '=', agent_id)
    .where('external_id', '=', external_id)
    .executeTakeFirst()
  return row?.id
}

/** The same; it is created when there is none yet. @param title of a new one */
export async function ensureExternal(db: Db | Tx, conversation: ExternalConversation, title?: string): Promise<string> {
  const found = await findExternal(db, conversation)
  if (found !== undefined) return found
  await db
    .insertInto('conversations')
    .values({ id: newId('conv'), ...conversation, title: title ?? null, created_at: new Date().toISOString() })
    .onConflict((oc) => oc.columns(['user_id', 'agent_id', 'external_id']).doNothing())
    .execute()
  return (await findExternal(db, conversation))!
}

export interface ExternalMessage extends Pick<TurnsTable, 'finished_at' | 'status'> {
  id: string
  turn_id: string
  /** The id of its reply. */
  reply_id: string
  content: string
  attachments: Attachment[]
}

/** The user's message with the client's name, or with that id of ours, as it is now. */
export async function findExternalMessage(
  db: Db,
  conversationId: string,
  name: string,
): Promise<ExternalMessage | undefined> {
  const row = await db
    .selectFrom('messages')
    .innerJoin('turns', 'turns.id', 'messages.turn_id')
    .select(['messages.id', 'turn_id', 'turns.message_id as reply_id', 'content', 'attachments'])
    .select(['turns.finished_at', 'turns.status'])
    .where('messages.conversation_id', '=', conversationId)
    .where('role', '=', 'user')
    .where('messages.status', '<>', 'failed')
    .where((eb) => eb.or([eb('messages.external_id', '=', name), eb('messages.id', '=', name)]))
    .where(isCurrent)
    .orderBy('messages.id', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row && { ...row, attachments: parseAttachments(row.attachments, row.id) }
}

/** The turn of a conversation that has, or will have, this reply. */
export async function findTurnOfReply(
  db: Db,
  conversationId: string,
  replyId: string,
): Promise<TurnsTable | undefined> {
  return db
    .selectFrom('turns')
    .selectAll()
    .where('conversation_id', '=', conversationId)
    .where('message_id', '=', replyId)
    .executeTakeFirst()
}

/** The turn of a conversation that a client would follow: the active one, or else the next one, if it was not replaced. */
export async function findRunningTurn(db: Db, conversationId: string): Promise<string | undefined> {
  const rows = await db
    .selectFrom('turns')
    .select(['id', 'activated_at'])
    .where('conversation_id', '=', conversationId)
    .where('finished_at', 'is', null)
    .where('superseded_by', 'is', null)
    .orderBy('id')
    .execute()
  return (rows.find(({ activated_at }) => activated_at !== null) ?? rows[0])?.id
}
