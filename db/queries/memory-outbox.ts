// The outbox of memory: turns that have ended and whose messages are still to be remembered. A row is written by the transaction
// that ends the turn and deleted by the one that has stored its memories, so nothing is lost or stored twice.
import type { Selectable } from 'kysely'
import { inserting } from '../compiled.ts'
import type { Db, MemoryOutboxTable, Tx } from '../schema.ts'

export type OutboxRow = Selectable<MemoryOutboxTable>

/** Adds an ended turn. */
export const insertOutbox = inserting('memory_outbox', [
  'turn_id',
  'conversation_id',
  'agent_id',
  'user_id',
  'user_message_id',
  'message_id',
  'created_at',
])

/** Turns of a conversation, oldest first. */
export function listOutbox(db: Db, conversationId: string, limit: number): Promise<OutboxRow[]> {
  return db
    .selectFrom('memory_outbox')
    .selectAll()
    .where('conversation_id', '=', conversationId)
    .orderBy('turn_id')
    .limit(limit)
    .execute()
}

/** Turns of a user whose messages are being remembered, or were when they were deleted. */
export function listOutboxOf(db: Db, userId: string): Promise<OutboxRow[]> {
  return db.selectFrom('memory_outbox').selectAll().where('user_id', '=', userId).execute()
}

/** Records that passages of the turn may be in the index from now on. @returns whether its messages are still to be remembered */
export async function claimOutbox(db: Db | Tx, turnId: string): Promise<boolean> {
  const row = await db
    .updateTable('memory_outbox')
    .set((eb) => ({ claimed_at: eb.fn.coalesce('claimed_at', eb.val(new Date().toISOString())) }))
    .where('turn_id', '=', turnId)
    .where('forgotten', '=', 0)
    .returning('turn_id')
    .executeTakeFirst()
  return row !== undefined
}

/** Deletes the row of a turn. @returns false when its messages are to be forgotten, or another worker was first */
export async function takeOutbox(tx: Tx, turnId: string): Promise<boolean> {
  const { numDeletedRows } = await tx
    .deleteFrom('memory_outbox')
    .where('turn_id', '=', turnId)
    .where('forgotten', '=', 0)
    .executeTakeFirst()
  return numDeletedRows > 0n
}

/** Deletes the row of a turn that was marked as forgotten, after its passages were removed. */
export async function deleteForgotten(db: Db, turnId: string): Promise<void> {
  await db.deleteFrom('memory_outbox').where('turn_id', '=', turnId).where('forgotten', '=', 1).execute()
}

/** Conversations with turns that ended before a moment, for the sweeper, by id. */
export function listWaitingConversations(
  db: Db,
  before: string,
  limit: number,
  after: string,
): Promise<Pick<MemoryOutboxTable, 'conversation_id' | 'agent_id' | 'user_id'>[]> {
  return db
    .selectFrom('memory_outbox')
    .select(['conversation_id', 'agent_id', 'user_id'])
    .where('created_at', '<', before)
    .where('conversation_id', '>', after)
    .groupBy(['conversation_id', 'agent_id', 'user_id'])
    .orderBy('conversation_id')
    .limit(limit)
    .execute()
}
