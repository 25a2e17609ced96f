// Conversations and their messages: find, create, list, and read for prompts.
import { sql } from 'kysely'
import { newId } from '../../contracts/ids.ts'
import { messageAttachments } from '../columns.ts'
import { parseColumn } from '../json-column.ts'
import { differencesOf } from '../dialect.ts'
import type { ConversationsTable, Db, Tx } from '../schema.ts'
import { deleteJobsOf } from './jobs.ts'
import { deleteMemories } from './memories.ts'
import { forgetRecalled } from './recalls.ts'
import { isCurrent } from './superseded.ts'
import type { Attachment } from './turns.ts'

/** Of the first message, what its title is made from; and longest title that is made, in characters. */
const TITLED_CHARACTERS = 500
const TITLE_CHARACTERS = 80

export interface ConversationView {
  id: string
  agent_id: string
  user_id: string
  title: string | null
  /** Only of a chat that a client has named. */
  external_id?: string
  archived: boolean
  created_at: string
  last_message_at: string | null
}

const selectViews = (db: Db | Tx) =>
  db.selectFrom('conversations').select((eb) => {
    const messages = eb
      .selectFrom('messages')
      .whereRef('messages.conversation_id', '=', 'conversations.id')
      .where(isCurrent)
      .limit(1)
    return [
      'id',
      'agent_id',
      'user_id',
      'title',
      'external_id',
      'archived',
      'created_at',
      messages.select('messages.created_at').orderBy('messages.id', 'desc').as('last_message_at'),
      messages
        .select(sql<string>`substr(messages.content, 1, ${sql.lit(TITLED_CHARACTERS)})`.as('text'))
        .orderBy('messages.id')
        .as('first_message'),
    ]
  })

type Row = Pick<ConversationsTable, 'id' | 'agent_id' | 'user_id' | 'title' | 'created_at'> & {
  external_id: string | null
  archived: number
  last_message_at: string | null
  first_message: string | null
}

function toView({ first_message, archived, external_id, ...row }: Row): ConversationView {
  return {
    ...row,
    ...(external_id !== null && { external_id }),
    title: row.title ?? titleOf(first_message ?? ''),
    archived: archived === 1,
  }
}

/** The first line with words, shortened between words; null without one. */
function titleOf(text: string): string | null {
  const line = text
    .split('\n')
    .map((each) => each.replaceAll(/\s+/g, ' ').trim())
    .find((each) => each !== '')
  if (line === undefined) return null
  if (line.length <= TITLE_CHARACTERS) return line
  const cut = line.slice(0, TITLE_CHARACTERS).replace(/[\uD800-\uDBFF]$/, '')
  return `${cut.slice(0, cut.lastIndexOf(' ') > TITLE_CHARACTERS / 2 ? cut.lastIndexOf(' ') : undefined)}…`
}

export async function findConversation(db: Db | Tx, id: string): Promise<ConversationView | undefined> {
  const row = await selectViews(db).where('id', '=', id).where('hidden_in', 'is', null).executeTakeFirst()
  return row && toView(row)
}

/** Conversations by their ids, without hidden ones. */
export async function findConversations(db: Db, ids: readonly string[]): Promise<ConversationView[]> {
  return (await selectViews(db).where('id', 'in', ids).where('hidden_in', 'is', null).execute()).map(toView)
}

/**
 * Serializes everything that adds, activates, ends or deletes turns of the conversation, until the transaction ends.
 * A name is locked instead of the row, so that what is read afterwards is the newest state also on Postgres.
 * @param further names to lock in the same statement
 */
export async function lockConversation(tx: Tx, id: string, further: readonly string[] = []): Promise<void> {
  await differencesOf(tx).lockNames(tx, [`conversation/${id}`, ...further])
}

export interface NewConversation {
  agent_id: string
  user_id: string
  title?: string | undefined
}

export async function createConversation(db: Db | Tx, conversation: NewConversation): Promise<ConversationView> {
  const row = {
    id: newId('conv'),
    agent_id: conversation.agent_id,
    user_id: conversation.user_id,
    title: conversation.title ?? null,
    external_id: null,
    archived: 0,
    created_at: new Date().toISOString(),
  }
  await db.insertInto('conversations').values(row).execute()
  return toView({ ...row, last_message_at: null, first_message: null })
}

/** Newest first. */
export async function listConversations(
  db: Db,
  filter: {
    user_id?: string | undefined
    agent_id?: string | undefined
    archived?: boolean | undefined
    external_id?: string | undefined
    /** Also those that are hidden in themselves, or all that are hidden. */
    with_hidden?: 'own' | 'all'
    limit: number
    cursor?: string | undefined
  },
): Promise<ConversationView[]> {
  let query = selectViews(db).orderBy('id', 'desc').limit(filter.limit)
  if (filter.with_hidden === undefined) query = query.where('hidden_in', 'is', null)
  if (filter.with_hidden === 'own')
    query = query.where((is) => is.or([is('hidden_in', 'is', null), is('hidden_in', '=', is.ref('id'))]))
  if (filter.user_id !== undefined) query = query.where('user_id', '=', filter.user_id)
  if (filter.agent_id !== undefined) query = query.where('agent_id', '=', filter.agent_id)
  if (filter.external_id !== undefined) query = query.where('external_id', '=', filter.external_id)
  if (filter.archived !== undefined) query = query.where('archived', '=', filter.archived ? 1 : 0)
  if (filter.cursor !== undefined) query = query.where('id', '<', filter.cursor)
  return (await query.execute()).map(toView)
}

/** Changes the title, whether it is archived, or both. */
export async function changeConversation(
  db: Db,
  id: string,
  { title, archived }: { title?: string | undefined; archived?: boolean | undefined },
): Promise<void> {
  const change = {
    ...(title !== undefined && { title }),
    ...(archived !== undefined && { archived: archived ? 1 : 0 }),
  }
  if (Object.keys(change).length > 0) await db.updateTable('conversations').set(change).where('id', '=', id).execute()
}

export interface DeletedConversation {
  messages: number
  memories: number
  /** To be removed from the index by the caller. */
  documents: string[]
}

/**
 * Deletes a conversation with its messages, turns, events and memories, and those that are hidden in it. The caller has checked that
 * no turn runs.
 */
export async function deleteConversation(tx: Tx, id: string): Promise<DeletedConversation> {
  const hidden = await tx
    .selectFrom('conversations')
    .select('id')
    .where('hidden_in', '=', id)
    .where('id', '<>', id)
    .execute()
  const documents: string[] = []
  for (const { id: each } of hidden) documents.push(...(await deleteOne(tx, each)).documents)
  const deleted = await deleteOne(tx, id)
  return { ...deleted, documents: [...deleted.documents, ...documents] }
}

async function deleteOne(tx: Tx, id: string): Promise<DeletedConversation> {
  const remembered = await deleteMemories(tx, { conversation_id: id })
  const conversation = await tx.selectFrom('conversations').select('user_id').where('id', '=', id).executeTakeFirst()
  if (conversation) await forgetRecalled(tx, conversation.user_id, id)
  const documents = [...(await deleteJobsOf(tx, id)), ...remembered.documents]
  const turns = tx.selectFrom('turns').select('id').where('conversation_id', '=', id)
  for (const table of ['event_segments', 'event_keys', 'event_fences', 'event_streams'] as const) {
    await tx.deleteFrom(table).where('stream_id', 'in', turns).execute()
  }
  for (const table of ['model_steps', 'tool_calls', 'approvals', 'recalls', 'turn_requests'] as const) {
    await tx.deleteFrom(table).where('turn_id', 'in', turns).execute()
  }
  await tx.deleteFrom('log_entries').where('stream_id', 'in', turns).execute()
  await tx.deleteFrom('idempotency_keys').where('result_id', 'in', turns).execute()
  const messages = await tx.deleteFrom('messages').where('conversation_id', '=', id).executeTakeFirst()
  // Usage rows are kept: they hold no text.
  await tx.deleteFrom('turns').where('conversation_id', '=', id).execute()
  await tx.deleteFrom('conversations').where('id', '=', id).execute()
  return { messages: Number(messages.numDeletedRows), memories: remembered.documents.length, documents }
}

export type OlderMessage = Pick<MessageView, 'id' | 'role' | 'content' | 'created_at'>

/** The messages of a conversation before one of them, oldest first, without those that were never accepted, were replaced or are blank. */
export async function listOlder(
  db: Db,
  conversationId: string,
  before: string,
  limit: number,
): Promise<OlderMessage[]> {
  const rows = await db
    .selectFrom('messages')
    .select(['id', 'role', 'content', 'status', 'created_at'])
    .where('conversation_id', '=', conversationId)
    .where('id', '<', before)
    .where(isCurrent)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
  return rows
    .toReversed()
    .filter(({ role, status, content }) => !(role === 'user' && status === 'failed') && content.trim() !== '')
}

export interface MessageView {
  id: string
  turn_id: string
  role: 'user' | 'assistant'
  content: string
  status: 'completed' | 'cancelled' | 'failed'
  attachments: Attachment[]
  created_at: string
  /** Only of a message that was replaced. */
  superseded?: true
}

/** At most one of the messages may be given. */
export interface MessageFilter {
  limit: number
  before?: string | undefined
  /** This one included. */
  up_to?: string
  after?: string
  /** Also those that were replaced. */
  with_superseded?: boolean
}

/** Messages of a conversation: newest first, or oldest first `after` one. */
export async function listMessages(
  db: Db,
  conversationId: string,
  { limit, before, up_to, after, with_superseded = false }: MessageFilter,
): Promise<MessageView[]> {
  let query = db
    .selectFrom('messages')
    .select(['id', 'turn_id', 'role', 'content', 'status', 'attachments', 'created_at'])
    .select(isCurrent.as('current'))
    .where('conversation_id', '=', conversationId)
    .orderBy('id', after === undefined ? 'desc' : 'asc')
    .limit(limit)
  if (before !== undefined) query = query.where('id', '<', before)
  if (up_to !== undefined) query = query.where('id', '<=', up_to)
  if (after !== undefined) query = query.where('id', '>', after)
  if (!with_superseded) query = query.where(isCurrent)
  return (await query.execute()).map(({ current, ...row }) => ({
    ...row,
    attachments: parseAttachments(row.attachments, row.id),
    ...(!current && { superseded: true as const }),
  }))
}

/** @param row the message's id, or its turn's */
export function parseAttachments(text: string | null, row: string): Attachment[] {
  return parseColumn(messageAttachments, text, row) ?? []
}
