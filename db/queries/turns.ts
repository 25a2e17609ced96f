// Turns as rows: inserted, found, listed and locked. Their start, queue and end are in turn-starts.ts, turn-queue.ts and turn-ends.ts.
import type { FinalStatus, OnBusy, TurnStatus } from '../../contracts/turn.ts'
import type { NewEvent, Usage } from '../../contracts/events.ts'
import type { ErrorBody } from '../../contracts/failures.ts'
import type { FinishReason } from '../../contracts/model-messages.ts'
import type { Attachment } from '../columns.ts'
import { inserting } from '../compiled.ts'
import type { Addition, Writer } from '../event-rows.ts'
import type { Db, Tx, TurnsTable } from '../schema.ts'
import { unlessCarried } from './turn-requests.ts'

export type { Attachment }

export const UNFINISHED: readonly TurnStatus[] = ['pending', 'queued', 'running', 'awaiting_approval']

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
  /** The client's name of the message. */
  external_id?: string | undefined
  attachments: Attachment[]
  response_schema: unknown
  /** Only of a turn whose agent the orchestrator has chosen already. */
  routing_confidence?: number
  /** Whether its end leaves a row in the outbox of memory. */
  remembers?: boolean
  /** Only of a turn that another agent asks for. */
  below?: Pick<TurnsTable, 'parent_turn_id' | 'parent_call_id' | 'root_turn_id' | 'root_call_id' | 'depth'>
}

const AT_THE_ROOT = { parent_turn_id: null, parent_call_id: null, root_turn_id: null, root_call_id: null, depth: 0 }

/**
 * Inserts a turn with the user's message.
 * @param place `active`: pending until Temporal has its workflow; `waiting`: accepted at once, after other turns of its
 * conversation
 */
export async function insertTurn(tx: Tx, turn: NewTurn, place: 'active' | 'waiting'): Promise<void> {
  const stamp = new Date().toISOString()
  const { content, external_id = null, attachments, response_schema, turn_id, user_message_id, ...rest } = turn
  const { conversation_id, remembers, ...columns } = rest
  const { below = AT_THE_ROOT, ...own } = columns
  await insertTurnRow(tx, {
    ...own,
    ...below,
    id: turn_id,
    conversation_id,
    user_message_id,
    status: place === 'active' ? 'pending' : 'queued',
    activated_at: place === 'active' ? stamp : null,
    accepted_at: place === 'active' ? null : stamp,
    response_schema: response_schema === undefined ? null : JSON.stringify(response_schema),
    routing_confidence: turn.routing_confidence ?? null,
    created_at: stamp,
    remembers: remembers ? 1 : 0,
  })
  await insertMessage(tx, {
    id: user_message_id,
    conversation_id,
    turn_id,
    role: 'user',
    content,
    status: 'completed',
    attachments: attachments.length > 0 ? JSON.stringify(attachments) : null,
    created_at: stamp,
    external_id,
  })
}

const insertTurnRow = inserting('turns', [
  'id',
  'conversation_id',
  'agent_id',
  'agent_version',
  'user_id',
  'key_id',
  'status',
  'activated_at',
  'accepted_at',
  'on_busy',
  'user_message_id',
  'message_id',
  'response_schema',
  'routing_confidence',
  'created_at',
  'remembers',
  'parent_turn_id',
  'parent_call_id',
  'root_turn_id',
  'root_call_id',
  'depth',
])

/** Inserts a message of a turn. */
export const insertMessage = inserting('messages', [
  'id',
  'conversation_id',
  'turn_id',
  'role',
  'content',
  'status',
  'attachments',
  'created_at',
  'external_id',
])

/** The writer of a head start: every attempt of the activity has a higher fence. */
export const HEAD_START: Writer = { scope: 'step_1', fence: 0 }

/** Whether a turn failed before it was accepted: the client got an error, and it never runs. */
export function wasGivenUp({ status, accepted_at }: Pick<TurnsTable, 'status' | 'accepted_at'>): boolean {
  return status === 'failed' && accepted_at === null
}

/** The first event of a turn. */
export function acceptedEvent(
  turn_id: string,
  { conversation_id, message_id }: Pick<TurnsTable, 'conversation_id' | 'message_id'>,
): Addition {
  return { event: { type: 'accepted', data: { turn_id, conversation_id, message_id } } }
}

/** The columns of a turn that its `message_start` contains. */
export const STARTED = ['message_id', 'conversation_id', 'agent_id', 'routing_confidence', 'created_at'] as const

export function startEvent(turn_id: string, turn: Pick<TurnsTable, (typeof STARTED)[number]>): Addition {
  const { message_id: id, conversation_id, agent_id, routing_confidence, created_at } = turn
  const confidence = routing_confidence === null ? {} : { routing_confidence }
  const data = { id, turn_id, conversation_id, agent_id, ...confidence, created_at }
  return { event: { type: 'message_start', data } }
}

/** The event that ends a turn's stream. */
export function finalEvent(
  messageId: string,
  status: TurnStatus,
  usage: Usage,
  finish_reason: FinishReason | null,
  error: ErrorBody | undefined,
  /** Of a turn that was handed over: who has answered. */
  agent_id?: string,
): NewEvent {
  if (status === 'completed')
    return {
      type: 'message_end',
      data: {
        id: messageId,
        usage,
        ...(finish_reason !== null && { finish_reason }),
        ...(agent_id !== undefined && { agent_id }),
      },
    }
  if (status === 'cancelled') return { type: 'cancelled', data: { id: messageId } }
  return { type: 'error', data: error ?? { code: 'internal_error', message: 'The turn failed' } }
}

export function isFinalStatus(status: TurnStatus): status is FinalStatus {
  return !UNFINISHED.includes(status)
}

// Lock order: conversation, turn, then the rows of the turn, its stream. Changes to several kinds of rows of a turn require
// the turn's lock. Transactions that end or activate turns hold the conversation's lock as well.

/** Serializes transactions that change more than one kind of row of the turn. */
export async function lockTurn(tx: Tx, turnId: string): Promise<void> {
  await tx.selectFrom('turns').select('id').where('id', '=', turnId).forUpdate().execute()
}

export interface TurnFilter {
  status?: TurnStatus | undefined
  agent_id?: string | undefined
  user_id?: string | undefined
  limit: number
  cursor?: string | undefined
}

/** Newest first, without those that agents have asked each other for. */
export async function listTurns(db: Db, filter: TurnFilter): Promise<TurnsTable[]> {
  let query = db
    .selectFrom('turns')
    .selectAll()
    .where('parent_turn_id', 'is', null)
    .orderBy('id', 'desc')
    .limit(filter.limit)
  if (filter.status !== undefined) query = query.where('status', '=', filter.status)
  if (filter.agent_id !== undefined) query = query.where('agent_id', '=', filter.agent_id)
  if (filter.user_id !== undefined) query = query.where('user_id', '=', filter.user_id)
  if (filter.cursor !== undefined) query = query.where('id', '<', filter.cursor)
  return query.execute()
}

/** Gives a turn to another agent, whose recall follows. @param remembers whether its end leaves a row in the outbox of memory */
export async function handOver(
  tx: Tx,
  turnId: string,
  { id: agent_id, version: agent_version }: { id: string; version: number },
  remembers: boolean,
): Promise<void> {
  await tx
    .updateTable('turns')
    .set({ agent_id, agent_version, remembers: unlessCarried(remembers) })
    .where('id', '=', turnId)
    .execute()
  await tx.deleteFrom('recalls').where('turn_id', '=', turnId).execute()
}

/** The text of a turn's reply. */
export async function findReply(db: Db | Tx, turnId: string): Promise<string> {
  const row = await db
    .selectFrom('messages')
    .select('content')
    .where('turn_id', '=', turnId)
    .where('role', '=', 'assistant')
    .executeTakeFirst()
  return row?.content ?? ''
}

/** @throws when there is none */
export async function getTurn(db: Db | Tx, id: string): Promise<TurnsTable> {
  const turn = await findTurn(db, id)
  if (!turn) throw new Error(`Cannot find turn '${id}'`)
  return turn
}

export function findTurns(db: Db, ids: readonly string[]): Promise<TurnsTable[]> {
  return db.selectFrom('turns').selectAll().where('id', 'in', ids).execute()
}

export async function findTurn(db: Db | Tx, id: string): Promise<TurnsTable | undefined> {
  return db.selectFrom('turns').selectAll().where('id', '=', id).executeTakeFirst()
}
