// The end of a turn: message, status, usage, the final event and the activation of the next turn, in one transaction.
import { expressionBuilder, sql, type Compilable } from 'kysely'
import type { FinalStatus } from '../../contracts/turn.ts'
import type { StoredEvent, Usage } from '../../contracts/events.ts'
import type { ErrorBody } from '../../contracts/failures.ts'
import type { FinishReason } from '../../contracts/model-messages.ts'
import { turnEnded } from '../../contracts/telemetry.ts'
import { shownText } from '../../contracts/text.ts'
import { compiled } from '../compiled.ts'
import { addEvents, lockStream, readAllEvents } from '../event-rows.ts'
import type { DB, Db, Tx, TurnsTable } from '../schema.ts'
import { cancelApprovals, type Shown } from './approval-changes.ts'
import { lockConversation } from './conversations.ts'
import { interruptEntries } from './log.ts'
import { insertOutbox } from './memory-outbox.ts'
import { restoreSuperseded } from './superseded.ts'
import { activateNext, activateTurn, nextWaiting, type StartableTurn } from './turn-queue.ts'
import { acceptedEvent, finalEvent, insertMessage, UNFINISHED, wasGivenUp } from './turns.ts'
import { settleLost, totalUsage } from './usage.ts'

/** Work that remains after the commit of a turn's end. */
export interface TurnEnd {
  status: FinalStatus
  /** To be published. */
  events: StoredEvent[]
  /** The same, of the root of the turn: what the turn waited for is cancelled. */
  above: Shown[]
  /** The next active turn of the conversation, whose workflow must be started. */
  next: StartableTurn | undefined
  /** Set when the messages of the turn are to be remembered: its row is in the outbox. */
  remembers: { agent_id: string; user_id: string } | undefined
}

export interface Ending {
  turn_id: string
  conversation_id: string
  status: FinalStatus
  error?: ErrorBody | undefined
}

/** A turn whose cancellation was requested always ends as cancelled. */
const finalStatus = (status: FinalStatus) =>
  sql<FinalStatus>`case when cancel_requested_at is null then ${status} else 'cancelled' end`

/**
 * Ends a turn from any state.
 * Its open rows (usage of lost attempts, tool calls, log entries) are settled in the same transaction.
 * @param was required status of the turn
 * @returns undefined when the turn had ended already
 */
export async function finishTurn(
  tx: Tx,
  { turn_id, conversation_id, status: wanted, error }: Ending,
  was = UNFINISHED,
): Promise<TurnEnd | undefined> {
  const stamp = new Date().toISOString()
  await lockConversation(tx, conversation_id)
  const turn = await tx
    .updateTable('turns')
    .set({ status: finalStatus(wanted), finished_at: stamp, error: error ? JSON.stringify(error) : null })
    .where('id', '=', turn_id)
    .where('status', 'in', was)
    .returning([
      'conversation_id',
      'message_id',
      'user_message_id',
      'status',
      'accepted_at',
      'activated_at',
      'agent_id',
      'user_id',
      'remembers',
      'superseded_by',
    ])
    .executeTakeFirst()
  if (!turn) return undefined
  const status = turn.status as FinalStatus
  turnEnded.publish({ status })

  await lockStream(tx, turn_id)
  const stored = await readAllEvents(tx, turn_id)
  const { text } = shownText(stored)
  await settleOpen(tx, turn_id, text, stamp)
  const usage = await totalUsage(tx, turn_id)
  const failure = status === 'failed' ? error : undefined
  await tx
    .updateTable('turns')
    .set({ usage: JSON.stringify(usage), error: failure ? JSON.stringify(failure) : null })
    .where('id', '=', turn_id)
    .execute()
  const decided = await cancelApprovals(tx, turn_id)
  // The client got an error and sends the message again: it is excluded from prompts.
  if (wasGivenUp(turn)) {
    await tx.updateTable('messages').set({ status: 'failed' }).where('id', '=', turn.user_message_id).execute()
    await restoreSuperseded(tx, { conversation_id, by: turn_id })
  }
  if (status === 'completed' || text !== '')
    await insertReply(tx, { turn_id, conversation_id, message_id: turn.message_id, content: text }, status, stamp)
  const final = { event: finalEvent(turn.message_id, status, usage, null, failure) }
  // A turn that was never accepted has a stream all the same, so that its readers see the end.
  const ended = await addEvents(
    tx,
    turn_id,
    undefined,
    stored.length > 0 ? [final] : [acceptedEvent(turn_id, turn), final],
  )
  return {
    status,
    events: [
      ...decided.flatMap((shown) => (shown.turn_id === turn_id ? shown.events : [])),
      ...('events' in ended ? ended.events : []),
    ],
    above: decided.filter((shown) => shown.turn_id !== turn_id),
    next: turn.activated_at === null ? undefined : await activateNext(tx, conversation_id),
    remembers: await leaveOutbox(tx, turn_id, turn, stamp),
  }
}

export interface Answer {
  turn_id: string
  conversation_id: string
  message_id: string
  /** The complete text of the reply. */
  content: string
  usage: Usage
  finish_reason: FinishReason
}

type Remembering = Pick<
  TurnsTable,
  'conversation_id' | 'message_id' | 'user_message_id' | 'agent_id' | 'user_id' | 'remembers' | 'superseded_by'
>
type Ended = Remembering & { status: FinalStatus; next: string | null; handed_over: number | boolean }

/** Leaves the turn to be remembered, in the transaction that ends it. */
async function leaveOutbox(
  tx: Tx,
  turn_id: string,
  turn: Remembering,
  created_at: string,
): Promise<TurnEnd['remembers']> {
  if (!turn.remembers || turn.superseded_by !== null) return undefined
  const { conversation_id, agent_id, user_id, user_message_id, message_id } = turn
  await insertOutbox(tx, { turn_id, conversation_id, agent_id, user_id, user_message_id, message_id, created_at })
  return { agent_id, user_id }
}

/** Whether the turn was handed over to another agent than the one it began with. */
const handedOver = (db: Db | Tx, turnId: string) =>
  expressionBuilder<DB>().exists(
    db
      .selectFrom('tool_calls')
      .select('call_id')
      .where('turn_id', '=', turnId)
      .where('agent_call', '=', 'handoff')
      .where('status', '=', 'done'),
  )

const updateCompleted = compiled<
  { turn_id: string; conversation_id: string; now: string; usage: string; finish_reason: FinishReason },
  Ended
>(
  (db, parameter) =>
    db
      .updateTable('turns')
      .set({
        status: finalStatus('completed'),
        finished_at: parameter('now'),
        usage: parameter('usage'),
        finish_reason: parameter('finish_reason'),
      })
      .where('id', '=', parameter('turn_id'))
      .where('status', 'in', UNFINISHED)
      .returning([
        'status',
        'conversation_id',
        'message_id',
        'user_message_id',
        'agent_id',
        'user_id',
        'remembers',
        'superseded_by',
        nextWaiting(db, parameter('conversation_id')).as('next'),
        handedOver(db, parameter('turn_id')).as('handed_over'),
      ]) as Compilable<Ended>,
)

/**
 * Ends a running turn with the model's answer; the caller has stored the step and holds the conversation's lock.
 * @returns undefined when the turn had ended already
 */
export async function completeTurn(tx: Tx, answer: Answer): Promise<TurnEnd | undefined> {
  const { turn_id, conversation_id, message_id, usage, finish_reason } = answer
  const stamp = new Date().toISOString()
  const parameters = { turn_id, conversation_id, now: stamp, usage: JSON.stringify(usage), finish_reason }
  const [turn] = (await updateCompleted(tx, parameters)).rows
  if (!turn) return undefined
  const { status } = turn
  turnEnded.publish({ status })
  await insertReply(tx, answer, status, stamp)
  const ended = await addEvents(tx, turn_id, undefined, [
    {
      event: finalEvent(
        message_id,
        status,
        usage,
        finish_reason,
        undefined,
        turn.handed_over ? turn.agent_id : undefined,
      ),
    },
  ])
  return {
    status,
    events: 'events' in ended ? ended.events : [],
    above: [],
    next: turn.next === null ? undefined : await activateTurn(tx, turn.next),
    remembers: await leaveOutbox(tx, turn_id, turn, stamp),
  }
}

async function insertReply(
  tx: Tx,
  { message_id: id, turn_id, conversation_id, content }: Omit<Answer, 'usage' | 'finish_reason'>,
  status: FinalStatus,
  created_at: string,
): Promise<void> {
  const row = {
    id,
    conversation_id,
    turn_id,
    role: 'assistant' as const,
    content,
    status,
    attachments: null,
    created_at,
    external_id: null,
  }
  await insertMessage(tx, row)
}

/**
 * Settles the open rows of a turn: usage of lost attempts is estimated, planned calls are cancelled, the outcome
 * of started ones is unknown, log entries are interrupted.
 * @param shown the text that was delivered to readers
 */
export async function settleOpen(tx: Tx, turnId: string, shown: string, stamp = new Date().toISOString()) {
  const open = await findOpen(tx, turnId)
  if (open.usage) await settleLost(tx, turnId, await unstoredOf(tx, turnId, shown))
  if (open.calls) {
    const calls = tx.updateTable('tool_calls').where('turn_id', '=', turnId)
    await calls.set({ status: 'cancelled', finished_at: stamp }).where('status', '=', 'planned').execute()
    await calls.set({ status: 'unknown', finished_at: stamp }).where('status', '=', 'started').execute()
  }
  if (open.entries) await interruptEntries(tx, turnId)
}

/** How much of the text that was shown is of no stored step, in characters. */
async function unstoredOf(tx: Tx, turnId: string, shown: string): Promise<number> {
  const steps = await tx.selectFrom('model_steps').select('content').where('turn_id', '=', turnId).execute()
  return Math.max(0, shown.length - steps.reduce((sum, { content }) => sum + content.length, 0))
}

async function findOpen(tx: Tx, turnId: string): Promise<{ usage: boolean; calls: boolean; entries: boolean }> {
  const { usage, calls, entries } = await tx
    .selectNoFrom((eb) => [
      eb
        .exists(tx.selectFrom('model_usage').select('id').where('stream_id', '=', turnId).where('status', '=', 'sent'))
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
        .exists(
          tx.selectFrom('log_entries').select('id').where('stream_id', '=', turnId).where('status', '=', 'running'),
        )
        .as('entries'),
    ])
    .executeTakeFirstOrThrow()
  return { usage: Boolean(usage), calls: Boolean(calls), entries: Boolean(entries) }
}
