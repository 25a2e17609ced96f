// The queue of a conversation, in rows: the active turn, the waiting ones, and their order. Changed under the conversation's lock.
import { sql } from 'kysely'
import type { Db, Tx, TurnsTable } from '../schema.ts'
import { withHidden } from './child-turns.ts'
import { lockConversation } from './conversations.ts'

/** The columns needed to start a turn's workflow. */
export type StartableTurn = Pick<TurnsTable, 'id' | 'conversation_id' | 'agent_id' | 'agent_version' | 'user_id'> & {
  attached: boolean
}

/** The next turn of a conversation: interrupting turns first, then by id. */
export function nextWaiting(db: Db | Tx, conversationId: string) {
  return db
    .selectFrom('turns as waiting')
    .select('waiting.id')
    .where('waiting.conversation_id', '=', conversationId)
    .where('waiting.activated_at', 'is', null)
    .where('waiting.finished_at', 'is', null)
    .orderBy(sql`case when waiting.on_busy = 'interrupt' then 0 else 1 end`)
    .orderBy('waiting.id')
    .limit(1)
}

/**
 * Activates the next waiting turn, if there is one; the caller holds the lock of the conversation, in which no turn is
 * active.
 */
export async function activateNext(tx: Tx, conversationId: string): Promise<StartableTurn | undefined> {
  const next = await nextWaiting(tx, conversationId).executeTakeFirst()
  return next && activateTurn(tx, next.id)
}

/** Makes a waiting turn the active one; the caller holds the conversation's lock, and has ended the previous one. */
export async function activateTurn(tx: Tx, turnId: string): Promise<StartableTurn> {
  const turn = await tx
    .updateTable('turns')
    .set({ activated_at: new Date().toISOString() })
    .where('id', '=', turnId)
    .returning(['id', 'conversation_id', 'agent_id', 'agent_version', 'user_id', isAttached])
    .executeTakeFirstOrThrow()
  return { ...turn, attached: Boolean(turn.attached) }
}

const isAttached = sql<number | boolean>`exists (
  select 1 from messages where messages.id = turns.user_message_id and messages.attachments is not null)`.as('attached')

const startable = (db: Db | Tx) =>
  db.selectFrom('turns').select(['id', 'conversation_id', 'agent_id', 'agent_version', 'user_id', isAttached])

export async function findStartable(db: Db | Tx, turnId: string): Promise<StartableTurn | undefined> {
  const turn = await startable(db).where('id', '=', turnId).executeTakeFirst()
  return turn && { ...turn, attached: Boolean(turn.attached) }
}

/** The active turn of a conversation that no worker has claimed yet. */
export async function findUnclaimed(db: Db | Tx, conversationId: string): Promise<StartableTurn | undefined> {
  const turn = await startable(db)
    .where('conversation_id', '=', conversationId)
    .where('activated_at', 'is not', null)
    .where('finished_at', 'is', null)
    .where('started_at', 'is', null)
    .where('status', '=', 'queued')
    .executeTakeFirst()
  return turn && { ...turn, attached: Boolean(turn.attached) }
}

const unfinishedOf = (db: Db | Tx, conversationId: string) =>
  db.selectFrom('turns').select('id').where('conversation_id', '=', conversationId).where('finished_at', 'is', null)

/** Waiting turns that a newer one with `interrupt` replaces; the caller holds the conversation's lock. */
export async function listOvertaken(tx: Tx, conversationId: string): Promise<string[]> {
  const rows = await unfinishedOf(tx, conversationId)
    .where('activated_at', 'is', null)
    .where('on_busy', '=', 'interrupt')
    .execute()
  return rows.map(({ id }) => id)
}

/** The position of a waiting turn: the number of turns before it, and the active one; undefined when it does not wait. */
export async function findPosition(
  db: Db | Tx,
  { id, conversation_id }: Pick<TurnsTable, 'id' | 'conversation_id'>,
): Promise<{ position: number; waits_for: string } | undefined> {
  const rows = await unfinishedOf(db, conversation_id)
    .select('activated_at')
    .orderBy(sql`case when activated_at is not null then 0 when on_busy = 'interrupt' then 1 else 2 end`)
    .orderBy('id')
    .execute()
  const position = rows.findIndex((row) => row.id === id)
  const active = rows.find(({ activated_at }) => activated_at !== null)
  return position > 0 && active ? { position, waits_for: active.id } : undefined
}

/** An unfinished turn of the conversation, or of one that is hidden in it; none can be added until the transaction ends. */
export async function findUnfinishedOf(tx: Tx, conversationId: string): Promise<string | undefined> {
  await lockConversation(tx, conversationId)
  const row = await tx
    .selectFrom('turns')
    .select('id')
    .where('conversation_id', 'in', withHidden(tx, conversationId))
    .where('finished_at', 'is', null)
    .executeTakeFirst()
  return row?.id
}

export type ActiveTurn = StartableTurn &
  Pick<TurnsTable, 'status' | 'accepted_at' | 'activated_at' | 'cancel_requested_at' | 'parent_turn_id'>

/** Unfinished active turns, for the sweeper, by id. */
export async function listActive(db: Db, limit: number, after = ''): Promise<ActiveTurn[]> {
  const rows = await startable(db)
    .select(['status', 'accepted_at', 'activated_at', 'cancel_requested_at', 'parent_turn_id'])
    .where('activated_at', 'is not', null)
    .where('finished_at', 'is', null)
    .where('id', '>', after)
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.map((row) => ({ ...row, attached: Boolean(row.attached) }))
}

/** Conversations with waiting turns and no active one: an invariant violation that no transaction leaves behind. */
export async function listBlocked(db: Db, limit: number): Promise<string[]> {
  const rows = await db
    .selectFrom('turns as waiting')
    .select('waiting.conversation_id')
    .distinct()
    .where('waiting.activated_at', 'is', null)
    .where('waiting.finished_at', 'is', null)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('turns as active')
            .select('active.id')
            .whereRef('active.conversation_id', '=', 'waiting.conversation_id')
            .where('active.activated_at', 'is not', null)
            .where('active.finished_at', 'is', null),
        ),
      ),
    )
    .limit(limit)
    .execute()
  return rows.map(({ conversation_id }) => conversation_id)
}

/** Activates the next waiting turn of a conversation that has no active one. */
export async function unblock(tx: Tx, conversationId: string): Promise<StartableTurn | undefined> {
  await lockConversation(tx, conversationId)
  const active = await unfinishedOf(tx, conversationId).where('activated_at', 'is not', null).executeTakeFirst()
  return active ? undefined : activateNext(tx, conversationId)
}
