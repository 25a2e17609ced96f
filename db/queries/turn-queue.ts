// The queue of a conversation, in rows: the active turn, the waiting ones, and their order. Changed under the conversation's lock.
import { randomUUID } from 'node:crypto'
import { sql, type Compilable } from 'kysely'
import type { AgentConfig, AgentSource } from '../../contracts/schemas/agent.ts'
import type { StoredEvent } from '../../contracts/events.ts'
import { agentConfig } from '../columns.ts'
import { parseColumn } from '../json-column.ts'
import { compiled } from '../compiled.ts'
import { addEvents, raiseFence } from '../event-rows.ts'
import type { Db, Tx, TurnsTable } from '../schema.ts'
import { lockConversation } from './conversations.ts'
import { acceptedEvent, findTurn, HEAD_START, startEvent, UNFINISHED, wasGivenUp } from './turns.ts'

/** Turns that may wait in one conversation. */
export const MAX_WAITING = 100

/** The columns needed to start a turn's workflow. */
export type StartableTurn = Pick<TurnsTable, 'id' | 'conversation_id' | 'agent_id' | 'agent_version' | 'user_id'> & {
  attached: boolean
}

/** The data that decides whether a message is accepted, and as active or waiting. */
export interface Admission {
  conversation: { id: string; agent_id: string; user_id: string }
  agent: { version: number; config: AgentConfig; source: AgentSource } | undefined
  active_turn_id: string | undefined
  waiting: number
  /** Active turns that do not wait for a person, of the user and of the key. */
  concurrent: { user: number; key: number }
}

interface AdmissionRow {
  id: string
  agent_id: string
  user_id: string
  version: number | null
  config: string | null
  source: AgentSource | null
  active_turn_id: string | null
  waiting: number
  user: number
  key: number
}

const selectAdmission = compiled<{ conversation_id: string; user_id: string; key_id: string }, AdmissionRow>(
  (db, parameter) => {
    const count = sql<number>`count(*)`.as('n')
    const unfinished = db
      .selectFrom('turns')
      .where('conversation_id', '=', parameter('conversation_id'))
      .where('finished_at', 'is', null)
    const concurrent = db
      .selectFrom('turns')
      .where('activated_at', 'is not', null)
      .where('finished_at', 'is', null)
      .where('status', '<>', 'awaiting_approval')
      .select(count)
    return db
      .selectFrom('conversations')
      .leftJoin('agents', (join) =>
        join.onRef('agents.id', '=', 'conversations.agent_id').on('agents.deleted_at', 'is', null),
      )
      .leftJoin('agent_versions', (join) =>
        join.onRef('agent_versions.agent_id', '=', 'agents.id').onRef('agent_versions.version', '=', 'agents.version'),
      )
      .select([
        'conversations.id',
        'conversations.agent_id',
        'conversations.user_id',
        'agents.version',
        'agent_versions.config',
        'agent_versions.source',
        unfinished.where('activated_at', 'is not', null).select('turns.id').as('active_turn_id'),
        unfinished.where('activated_at', 'is', null).select(count).as('waiting'),
        concurrent.where('user_id', '=', parameter('user_id')).as('user'),
        concurrent.where('key_id', '=', parameter('key_id')).as('key'),
      ])
      .where('conversations.id', '=', parameter('conversation_id')) as unknown as Compilable<AdmissionRow>
  },
)

/** Reads the admission data in one statement, under the locks of the conversation, the user and the key. */
export async function admit(
  tx: Tx,
  { conversation_id, user_id, key_id }: { conversation_id: string; user_id: string; key_id: string },
): Promise<Admission | undefined> {
  await lockConversation(tx, conversation_id, [`user/${user_id}`, `key/${key_id}`])
  const [row] = (await selectAdmission(tx, { conversation_id, user_id, key_id })).rows
  if (!row) return undefined
  const { id, agent_id, user_id: owner, version, config, source } = row
  return {
    conversation: { id, agent_id, user_id: owner },
    agent:
      version === null || config === null || source === null
        ? undefined
        : { version, config: parseColumn(agentConfig, config, `${agent_id}/${version}`), source },
    active_turn_id: row.active_turn_id ?? undefined,
    waiting: Number(row.waiting),
    concurrent: { user: Number(row.user), key: Number(row.key) },
  }
}

/** The first event of a turn that waits: it is accepted in the transaction that inserts it. */
export async function addAccepted(
  tx: Tx,
  turnId: string,
  turn: Pick<TurnsTable, 'conversation_id' | 'message_id'>,
): Promise<StoredEvent[]> {
  const added = await addEvents(tx, turnId, undefined, [acceptedEvent(turnId, turn)])
  return 'events' in added ? added.events : []
}

/** The `first_claim` of a turn whose message was started by a head start. */
const CLAIMED_AHEAD = 'head start'

const updateAccepted = compiled<
  { turn_id: string; now: string; started_at: string | null; first_claim: string | null },
  Pick<TurnsTable, 'conversation_id' | 'message_id' | 'agent_id' | 'created_at'>
>((db, parameter) =>
  db
    .updateTable('turns')
    .set({
      status: 'queued',
      accepted_at: parameter('now'),
      started_at: parameter('started_at'),
      first_claim: parameter('first_claim'),
    })
    .where('id', '=', parameter('turn_id'))
    .where('status', '=', 'pending')
    .returning(['conversation_id', 'message_id', 'agent_id', 'created_at']),
)

/**
 * Marks an active turn as accepted once its workflow is started: `pending` becomes `queued`, and `accepted` is its first
 * event.
 * Does nothing if a worker has claimed it already.
 * @param isAhead the turn has a head start: its message starts too, and its text may be written under the head start's fence
 * @returns the events to publish, or undefined when the turn has failed before it was accepted
 */
export async function markAccepted(tx: Tx, turnId: string, isAhead = false): Promise<StoredEvent[] | undefined> {
  const now = new Date().toISOString()
  const started = isAhead ? { started_at: now, first_claim: CLAIMED_AHEAD } : { started_at: null, first_claim: null }
  const [turn] = (await updateAccepted(tx, { turn_id: turnId, now, ...started })).rows
  if (turn) {
    const additions = [acceptedEvent(turnId, turn), ...(isAhead ? [startEvent(turnId, turn)] : [])]
    const added = await addEvents(tx, turnId, undefined, additions)
    if (isAhead) await raiseFence(tx, turnId, HEAD_START)
    return 'events' in added ? added.events : []
  }
  const found = await findTurn(tx, turnId)
  if (!found || wasGivenUp(found)) return undefined
  return isAhead ? startAccepted(tx, found) : []
}

/** Handles a turn with a head start that was accepted by a repeated request, or claimed by a worker. */
async function startAccepted(tx: Tx, turn: TurnsTable): Promise<StoredEvent[]> {
  await raiseFence(tx, turn.id, HEAD_START)
  const started = await tx
    .updateTable('turns')
    .set({ started_at: new Date().toISOString(), first_claim: CLAIMED_AHEAD })
    .where('id', '=', turn.id)
    .where('first_claim', 'is', null)
    .where('finished_at', 'is', null)
    .executeTakeFirst()
  if (started.numUpdatedRows === 0n) return []
  const added = await addEvents(tx, turn.id, undefined, [startEvent(turn.id, turn)])
  return 'events' in added ? added.events : []
}

export interface Claimed {
  conversation_id: string
  message_id: string
  agent_id: string
  created_at: string
  /** `accepted` and `message_start`, unless an earlier attempt has added them. */
  additions: ReturnType<typeof acceptedEvent>[]
}

const updateClaimed = compiled<
  { turn_id: string; run_id: string; now: string; claim: string; accepting_claim: string },
  Pick<TurnsTable, 'conversation_id' | 'message_id' | 'agent_id' | 'created_at' | 'first_claim'>
>((db, parameter) =>
  db
    .updateTable('turns')
    .set((eb) => ({
      status: 'running',
      run_id: parameter('run_id'),
      accepted_at: eb.fn.coalesce('accepted_at', eb.val(parameter('now'))),
      started_at: eb.fn.coalesce('started_at', eb.val(parameter('now'))),
      // The returned value shows whether this claim was the first, and whether it accepted the turn.
      first_claim: sql<string>`coalesce(first_claim, case when accepted_at is null then ${parameter('accepting_claim')} else ${parameter('claim')} end)`,
    }))
    .where('id', '=', parameter('turn_id'))
    .where('status', 'in', UNFINISHED)
    .where('cancel_requested_at', 'is', null)
    .returning(['conversation_id', 'message_id', 'agent_id', 'created_at', 'first_claim']),
)

/**
 * Claims the turn for its workflow: `running`, unless it has ended or is to be cancelled. Idempotent.
 * Locks the turn's row until the transaction ends.
 */
export async function claimTurn(tx: Tx, turnId: string, runId: string): Promise<Claimed | undefined> {
  const claim = randomUUID()
  const accepting_claim = `${claim} accepted`
  const now = new Date().toISOString()
  const [turn] = (await updateClaimed(tx, { turn_id: turnId, run_id: runId, now, claim, accepting_claim })).rows
  if (!turn) return undefined
  const accepts = turn.first_claim === accepting_claim
  const additions = [
    ...(accepts ? [acceptedEvent(turnId, turn)] : []),
    ...(accepts || turn.first_claim === claim ? [startEvent(turnId, turn)] : []),
  ]
  return { ...turn, additions }
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

/** An unfinished turn of the conversation; none can be added until the transaction ends. */
export async function findUnfinishedOf(tx: Tx, conversationId: string): Promise<string | undefined> {
  await lockConversation(tx, conversationId)
  const row = await unfinishedOf(tx, conversationId).executeTakeFirst()
  return row?.id
}

export type ActiveTurn = StartableTurn &
  Pick<TurnsTable, 'status' | 'accepted_at' | 'activated_at' | 'cancel_requested_at'>

/** Unfinished active turns, for the sweeper, by id. */
export async function listActive(db: Db, limit: number, after = ''): Promise<ActiveTurn[]> {
  const rows = await startable(db)
    .select(['status', 'accepted_at', 'activated_at', 'cancel_requested_at'])
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
