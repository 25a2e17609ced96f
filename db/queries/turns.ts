// The life of a turn in rows: inserted, accepted, claimed, finished. Every change of status is compare-and-set.
import { sql } from 'kysely'
import type { JobKind, FinalStatus, OnBusy, TurnStatus } from '../../contracts/engine.ts'
import type { NewEvent, StoredEvent, Usage } from '../../contracts/events.ts'
import type { ErrorBody } from '../../contracts/failures.ts'
import { shownText } from '../../contracts/text.ts'
import { addEvents, lockStream, readAllEvents, type Addition } from '../event-rows.ts'
import { differencesOf } from '../dialect.ts'
import type { Db, Tx, TurnsTable } from '../schema.ts'
import { cancelApprovals } from './approvals.ts'
import { lockConversation } from './conversations.ts'
import { interruptEntries } from './log.ts'
import { settleUsage, totalUsage } from './usage.ts'

export const UNFINISHED: readonly TurnStatus[] = ['pending', 'queued', 'running', 'awaiting_approval']

export interface Attachment {
  type: JobKind
  name: string
  media_type: string
  sha256: string
  size: number
  /** Unset until it is a file. */
  file_id?: string
}

export interface NewTurn {
  turn_id: string
  message_id: string
  user_message_id: string
  conversation_id: string
  agent_id: string
  agent_version: number
  user_id: string
  key_id: string | null
  on_busy: OnBusy
  content: string
  attachments: Attachment[]
  response_schema: unknown
}

/** Inserts a pending turn with the user's message. */
export async function insertTurn(tx: Tx, turn: NewTurn): Promise<void> {
  const stamp = new Date().toISOString()
  await tx
    .insertInto('turns')
    .values({
      id: turn.turn_id,
      conversation_id: turn.conversation_id,
      agent_id: turn.agent_id,
      agent_version: turn.agent_version,
      user_id: turn.user_id,
      key_id: turn.key_id,
      status: 'pending',
      on_busy: turn.on_busy,
      user_message_id: turn.user_message_id,
      message_id: turn.message_id,
      response_schema: turn.response_schema === undefined ? null : JSON.stringify(turn.response_schema),
      created_at: stamp,
    })
    .execute()
  await tx
    .insertInto('messages')
    .values({
      id: turn.user_message_id,
      conversation_id: turn.conversation_id,
      turn_id: turn.turn_id,
      role: 'user',
      content: turn.content,
      status: 'completed',
      attachments: turn.attachments.length > 0 ? JSON.stringify(turn.attachments) : null,
      created_at: stamp,
    })
    .execute()
}

/** How many turns of a user and of a key are under way; who counts them too waits until this transaction has added its own. */
export async function countUnfinished(
  tx: Tx,
  userId: string,
  keyId: string | null,
): Promise<{ user: number; key: number }> {
  await differencesOf(tx).lockNames(tx, [`user/${userId}`, `key/${keyId}`])
  const unfinished = (column: 'user_id' | 'key_id', value: string) =>
    tx
      .selectFrom('turns')
      .select((eb) => eb.fn.countAll().as('n'))
      .where(column, '=', value)
      .where('status', 'in', UNFINISHED)
  const { user, key } = await tx
    .selectNoFrom([
      unfinished('user_id', userId).as('user'),
      // No turn has a key without a name.
      unfinished('key_id', keyId ?? '').as('key'),
    ])
    .executeTakeFirstOrThrow()
  return { user: Number(user), key: Number(key) }
}

/**
 * The engine has taken the turn: `pending` becomes `queued` and `accepted` its first event.
 * A worker may have been faster; then nothing is left to do.
 * @returns the events to publish, or undefined when the turn had failed, or was discarded, before the engine took it
 */
export async function acceptTurn(tx: Tx, turnId: string): Promise<StoredEvent[] | undefined> {
  const updated = await tx
    .updateTable('turns')
    .set({ status: 'queued', accepted_at: new Date().toISOString() })
    .where('id', '=', turnId)
    .where('status', '=', 'pending')
    .returning(['conversation_id', 'message_id'])
    .executeTakeFirst()
  if (updated) return addAccepted(tx, turnId, updated)
  const turn = await tx
    .selectFrom('turns')
    .select(['status', 'accepted_at'])
    .where('id', '=', turnId)
    .executeTakeFirst()
  return !turn || wasGivenUp(turn) ? undefined : []
}

/** Whether a turn has failed before the engine took it: nobody was told that it was accepted, and it never runs. */
export function wasGivenUp({ status, accepted_at }: Pick<TurnsTable, 'status' | 'accepted_at'>): boolean {
  return status === 'failed' && accepted_at === null
}

type Accepted = Pick<TurnsTable, 'conversation_id' | 'message_id'>

async function addAccepted(tx: Tx, turnId: string, turn: Accepted) {
  const added = await addEvents(tx, turnId, undefined, [acceptedEvent(turnId, turn)])
  return 'events' in added ? added.events : []
}

function acceptedEvent(turn_id: string, { conversation_id, message_id }: Accepted): Addition {
  return { key: 'accepted', event: { type: 'accepted', data: { turn_id, conversation_id, message_id } } }
}

// Rows are locked from the top down: conversation, turn, then what belongs to the turn, its stream; whoever changes several
// kinds of rows of a turn holds the turn. So nobody waits in a circle, and where that fails the database ends it and it is retried.

async function lockConversationOf(tx: Tx, turnId: string): Promise<void> {
  const conversation = tx.selectFrom('turns').select('conversation_id').where('id', '=', turnId)
  await tx.selectFrom('conversations').select('id').where('id', '=', conversation).forUpdate().execute()
}

/** Has others wait who change more than one kind of row of the turn. */
export async function lockTurn(tx: Tx, turnId: string): Promise<void> {
  await tx.selectFrom('turns').select('id').where('id', '=', turnId).forUpdate().execute()
}

export type TurnClaim =
  | { claimed: true; agent_id: string; agent_version: number; events: StoredEvent[] }
  | { claimed: false; reason: 'over' }
  | { claimed: false; reason: 'busy'; other_turn_id: string }

/** The turn's workflow takes it: `running`, unless it is over or another turn of the conversation still runs. Safe to repeat. */
export async function claimTurn(tx: Tx, turnId: string, runId: string): Promise<TurnClaim> {
  await lockConversationOf(tx, turnId)
  const stamp = new Date().toISOString()
  const other = tx
    .selectFrom('turns as other')
    .select('other.id')
    .where('other.conversation_id', '=', sql.ref<string>('turns.conversation_id'))
    .where('other.status', 'in', ['running', 'awaiting_approval'])
    .where('other.id', '!=', turnId)
    .limit(1)
  const turn = await tx
    .updateTable('turns')
    .set((eb) => ({
      status: 'running',
      run_id: runId,
      accepted_at: eb.fn.coalesce('accepted_at', eb.val(stamp)),
      started_at: eb.fn.coalesce('started_at', eb.val(stamp)),
    }))
    .where('id', '=', turnId)
    .where('status', 'in', UNFINISHED)
    .where((eb) => eb.not(eb.exists(other)))
    .returning(['conversation_id', 'message_id', 'agent_id', 'agent_version', 'created_at'])
    .executeTakeFirst()
  if (!turn) {
    const refused = await tx
      .selectFrom('turns')
      .select(['status', other.as('other_turn_id')])
      .where('id', '=', turnId)
      .executeTakeFirst()
    if (!refused?.other_turn_id || !UNFINISHED.includes(refused.status)) return { claimed: false, reason: 'over' }
    return { claimed: false, reason: 'busy', other_turn_id: refused.other_turn_id }
  }
  const started = await addEvents(tx, turnId, undefined, [
    acceptedEvent(turnId, turn),
    {
      key: 'message_start',
      event: {
        type: 'message_start',
        data: {
          id: turn.message_id,
          turn_id: turnId,
          conversation_id: turn.conversation_id,
          agent_id: turn.agent_id,
          created_at: turn.created_at,
        },
      },
    },
  ])
  const { agent_id, agent_version } = turn
  return { claimed: true, agent_id, agent_version, events: 'events' in started ? started.events : [] }
}

/**
 * The final message, the status, the usage and the final event, together or not at all.
 * What is still open of the turn (usage of lost attempts, tool calls, log entries) is settled with it.
 * @param was only a turn in one of these is finished
 * @returns the events to publish; none when the turn was over already
 */
export async function finishTurn(
  tx: Tx,
  turnId: string,
  status: FinalStatus,
  error?: ErrorBody,
  was = UNFINISHED,
): Promise<StoredEvent[]> {
  const stamp = new Date().toISOString()
  await lockConversationOf(tx, turnId)
  const turn = await tx
    .updateTable('turns')
    .set({ status, finished_at: stamp, error: error ? JSON.stringify(error) : null })
    .where('id', '=', turnId)
    .where('status', 'in', was)
    .returning(['conversation_id', 'message_id', 'user_message_id', 'status', 'accepted_at'])
    .executeTakeFirst()
  if (!turn) return []

  await lockStream(tx, turnId)
  const told = await readAllEvents(tx, turnId)
  const { text } = shownText(told)
  const open = await findOpen(tx, turnId)
  if (open.usage) await settleUsage(tx, turnId, text)
  const usage = await totalUsage(tx, turnId)
  await tx
    .updateTable('turns')
    .set({ usage: JSON.stringify(usage) })
    .where('id', '=', turnId)
    .execute()
  if (open.calls) await settleToolCalls(tx, turnId, stamp)
  const decided = open.approvals ? await cancelApprovals(tx, turnId) : []
  if (open.entries) await interruptEntries(tx, turnId)
  // Nobody was told that the message was taken: whoever sent it sends it again.
  if (wasGivenUp(turn))
    await tx.updateTable('messages').set({ status: 'failed' }).where('id', '=', turn.user_message_id).execute()
  if (status === 'completed' || text !== '') {
    await tx
      .insertInto('messages')
      .values({
        id: turn.message_id,
        conversation_id: turn.conversation_id,
        turn_id: turnId,
        role: 'assistant',
        content: text,
        status,
        created_at: stamp,
      })
      .execute()
  }
  await tx.updateTable('conversations').set({ last_message_at: stamp }).where('id', '=', turn.conversation_id).execute()
  // A turn that was never accepted has a log all the same: whoever follows it must see its end.
  const final = { event: finalEvent(turn.message_id, status, usage, error) }
  const ended = await addEvents(tx, turnId, undefined, told.length > 0 ? [final] : [acceptedEvent(turnId, turn), final])
  return [...decided, ...('events' in ended ? ended.events : [])]
}

/** What of a turn has begun and not ended. */
async function findOpen(
  tx: Tx,
  turnId: string,
): Promise<{ usage: boolean; calls: boolean; approvals: boolean; entries: boolean }> {
  const { usage, calls, approvals, entries } = await tx
    .selectNoFrom((eb) => [
      eb
        .exists(tx.selectFrom('model_usage').select('id').where('turn_id', '=', turnId).where('status', '=', 'sent'))
        .as('usage'),
      eb
        .exists(
          tx
            .selectFrom('tool_calls')
            .select('call_id')
            .where('turn_id', '=', turnId)
            .where('status', 'in', ['planned', 'started']),
        )
        .as('calls'),
      eb
        .exists(tx.selectFrom('approvals').select('id').where('turn_id', '=', turnId).where('status', '=', 'waiting'))
        .as('approvals'),
      eb
        .exists(tx.selectFrom('log_entries').select('id').where('turn_id', '=', turnId).where('status', '=', 'running'))
        .as('entries'),
    ])
    .executeTakeFirstOrThrow()
  return { usage: Boolean(usage), calls: Boolean(calls), approvals: Boolean(approvals), entries: Boolean(entries) }
}

/** The event that ends a turn's stream. */
export function finalEvent(
  messageId: string,
  status: TurnStatus,
  usage: Usage,
  error: ErrorBody | undefined,
): NewEvent {
  if (status === 'completed') return { type: 'message_end', data: { id: messageId, usage } }
  if (status === 'cancelled') return { type: 'cancelled', data: { id: messageId } }
  return { type: 'error', data: error ?? { code: 'internal_error', message: 'The turn failed' } }
}

/** Calls that never ran are cancelled; of those that had begun nobody knows the outcome. */
async function settleToolCalls(tx: Tx, turnId: string, stamp: string): Promise<void> {
  const calls = tx.updateTable('tool_calls').where('turn_id', '=', turnId)
  await calls.set({ status: 'cancelled', finished_at: stamp }).where('status', '=', 'planned').execute()
  await calls.set({ status: 'unknown', finished_at: stamp }).where('status', '=', 'started').execute()
}

/** Unfinished turns last touched by the engine before a moment, for the sweeper; oldest first. */
export async function listUnfinished(db: Db, createdBefore: string, limit: number, after = '') {
  return db
    .selectFrom('turns')
    .select(['id', 'conversation_id', 'status', 'started_at'])
    .where('status', 'in', UNFINISHED)
    .where('created_at', '<', createdBefore)
    .where('id', '>', after)
    .orderBy('id')
    .limit(limit)
    .execute()
}

/** Removes a turn that the engine refused: as if the message had never been sent. */
export async function discardTurn(tx: Tx, turnId: string): Promise<void> {
  const deleted = await tx
    .deleteFrom('turns')
    .where('id', '=', turnId)
    .where('status', '=', 'pending')
    .executeTakeFirst()
  if (deleted.numDeletedRows === 0n) return
  await tx.deleteFrom('messages').where('turn_id', '=', turnId).execute()
  await tx.deleteFrom('jobs').where('turn_id', '=', turnId).execute()
  await tx.deleteFrom('idempotency_keys').where('result_id', '=', turnId).execute()
}

export interface TurnFilter {
  status?: TurnStatus | undefined
  agent_id?: string | undefined
  user_id?: string | undefined
  limit: number
  cursor?: string | undefined
}

/** Newest first. */
export async function listTurns(db: Db, filter: TurnFilter): Promise<TurnsTable[]> {
  let query = db.selectFrom('turns').selectAll().orderBy('id', 'desc').limit(filter.limit)
  if (filter.status !== undefined) query = query.where('status', '=', filter.status)
  if (filter.agent_id !== undefined) query = query.where('agent_id', '=', filter.agent_id)
  if (filter.user_id !== undefined) query = query.where('user_id', '=', filter.user_id)
  if (filter.cursor !== undefined) query = query.where('id', '<', filter.cursor)
  return query.execute()
}

export async function findTurn(db: Db | Tx, id: string): Promise<TurnsTable | undefined> {
  return db.selectFrom('turns').selectAll().where('id', '=', id).executeTakeFirst()
}

/** A turn of the conversation that is not over yet; none begins before the transaction ends. */
export async function findUnfinishedOf(tx: Tx, conversationId: string): Promise<string | undefined> {
  await lockConversation(tx, conversationId)
  const row = await tx
    .selectFrom('turns')
    .select('id')
    .where('conversation_id', '=', conversationId)
    .where('status', 'in', UNFINISHED)
    .executeTakeFirst()
  return row?.id
}
