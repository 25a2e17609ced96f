// Turns that a later message has replaced: they stay for the log, and are left out of prompts, pages, memory and search.
import { sql } from 'kysely'
import type { Db, MessagesTable, Tx, TurnsTable } from '../schema.ts'
import { deleteMemories } from './memories.ts'

/** Of a message in a statement, whether it is still part of its conversation. A value, because Postgres may execute `exists` by reading all turns. */
export const isCurrent = sql<boolean>`(select said.superseded_by from turns as said where said.id = messages.turn_id) is null`

export interface ReplacedMessage
  extends Pick<MessagesTable, 'id' | 'turn_id' | 'role'>, Pick<TurnsTable, 'superseded_by'> {
  /** The state of the turn that has replaced it; null when none has. */
  replaced_in: TurnsTable['status'] | null
}

/** A message of a conversation that may be replaced. */
export function findReplaced(tx: Tx, conversationId: string, messageId: string): Promise<ReplacedMessage | undefined> {
  return tx
    .selectFrom('messages')
    .innerJoin('turns', 'turns.id', 'messages.turn_id')
    .leftJoin('turns as replacing', 'replacing.id', 'turns.superseded_by')
    .select(['messages.id', 'messages.turn_id', 'messages.role', 'turns.superseded_by'])
    .select('replacing.status as replaced_in')
    .where('messages.id', '=', messageId)
    .where('messages.conversation_id', '=', conversationId)
    .executeTakeFirst()
}

export interface Superseded {
  /** Turns that waited: they are to be cancelled. */
  waiting: string[]
  /** To be removed from the index by the caller, after the commit. */
  documents: string[]
}

/**
 * Marks a turn of a conversation and all after it as replaced by a new one, and forgets what was remembered of them.
 * The caller holds the conversation's lock.
 */
export async function supersede(
  tx: Tx,
  { conversation_id, from, by }: { conversation_id: string; from: ReplacedMessage; by: string },
): Promise<Superseded> {
  const marked = await tx
    .updateTable('turns')
    .set({ superseded_by: by })
    .where('conversation_id', '=', conversation_id)
    .where('id', '>=', from.turn_id)
    .where('superseded_by', 'is', null)
    .returning(['id', 'activated_at', 'finished_at'])
    .execute()
  const turns = tx
    .selectFrom('turns')
    .select('id')
    .where('conversation_id', '=', conversation_id)
    .where('superseded_by', '=', by)
  const { documents } = await deleteMemories(tx, { conversation_id, from })
  const attached = await tx.selectFrom('jobs').select('document_id').where('turn_id', 'in', turns).execute()
  return {
    waiting: marked.filter((turn) => turn.activated_at === null && turn.finished_at === null).map(({ id }) => id),
    documents: [...documents, ...attached.map(({ document_id }) => document_id)],
  }
}

/**
 * Takes back what a turn has replaced that was never accepted; its memories are written again. If the turn was replaced itself
 * meanwhile, so is what it had replaced. The caller holds the conversation's lock.
 */
export async function restoreSuperseded(
  tx: Tx,
  { conversation_id, by }: { conversation_id: string; by: string },
): Promise<void> {
  const { superseded_by } = await tx
    .selectFrom('turns')
    .select('superseded_by')
    .where('id', '=', by)
    .executeTakeFirstOrThrow()
  const restored = await tx
    .updateTable('turns')
    .set({ superseded_by })
    .where('conversation_id', '=', conversation_id)
    .where('superseded_by', '=', by)
    .returning(['id as turn_id', 'agent_id', 'user_id', 'user_message_id', 'message_id', 'remembers', 'finished_at'])
    .execute()
  if (superseded_by !== null) return
  for (const { remembers, finished_at, ...turn } of restored) {
    if (remembers === 0 || finished_at === null) continue
    await tx
      .insertInto('memory_outbox')
      .values({ ...turn, conversation_id, created_at: finished_at })
      .onConflict((oc) => oc.column('turn_id').doUpdateSet({ forgotten: 0 }))
      .execute()
  }
}

/** Of the documents, those that were attached to messages which were replaced. */
export async function listSupersededDocuments(db: Db, documentIds: readonly string[]): Promise<Set<string>> {
  if (documentIds.length === 0) return new Set()
  const rows = await db
    .selectFrom('jobs')
    .innerJoin('turns', 'turns.id', 'jobs.turn_id')
    .select('jobs.document_id')
    .where('jobs.document_id', 'in', documentIds)
    .where('turns.superseded_by', 'is not', null)
    .execute()
  return new Set(rows.map(({ document_id }) => document_id))
}
