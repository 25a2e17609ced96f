// The start of a turn: accepted, perhaps with a head start, then claimed for its workflow.
import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { StoredEvent } from '../../contracts/events.ts'
import { AUTO } from '../../contracts/routing.ts'
import { compiled } from '../compiled.ts'
import { addEvents, raiseFence } from '../event-rows.ts'
import type { Tx, TurnsTable } from '../schema.ts'
import { acceptedEvent, findTurn, HEAD_START, STARTED, startEvent, UNFINISHED, wasGivenUp } from './turns.ts'

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
  Pick<TurnsTable, (typeof STARTED)[number]>
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
    .returning(STARTED),
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
  /** `accepted` and `message_start`, unless an earlier attempt has added them; the latter waits for the agent to be chosen. */
  additions: ReturnType<typeof acceptedEvent>[]
}

const updateClaimed = compiled<
  { turn_id: string; run_id: string; now: string; claim: string; accepting_claim: string },
  Pick<TurnsTable, (typeof STARTED)[number] | 'first_claim'>
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
    .returning([...STARTED, 'first_claim']),
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
    ...((accepts || turn.first_claim === claim) && turn.agent_id !== AUTO ? [startEvent(turnId, turn)] : []),
  ]
  return { additions }
}
