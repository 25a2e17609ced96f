// Ends a turn from an activity, and starts the next turn of its conversation.
import { log } from '@temporalio/activity'
import type { FinalStatus } from '../../contracts/turn.ts'
import { finishTurn, type Ending, type TurnEnd } from '../../db/queries/turn-ends.ts'
import { findUnclaimed } from '../../db/queries/turn-queue.ts'
import { findTurn, isFinalStatus } from '../../db/queries/turns.ts'
import type { ActivityResources } from '../resources.ts'
import type { TurnResources } from './turn-resources.ts'

type Resources = Pick<ActivityResources, 'db' | 'events'> & Pick<TurnResources, 'startTurn' | 'startMemory'>

/** Records the end of a turn, unless it has ended, and starts the next one. @returns the final status */
export async function endTurn(resources: Resources, ending: Ending): Promise<FinalStatus> {
  const { db } = resources
  const end = await db.transaction().execute((tx) => finishTurn(tx, ending))
  const { turn_id, conversation_id } = ending
  await startNextOf(resources, turn_id, conversation_id, end)
  if (end) return end.status
  const turn = await findTurn(db, turn_id)
  if (!turn || !isFinalStatus(turn.status)) throw new Error(`Cannot end turn '${turn_id}': it is in no final state`)
  return turn.status
}

/**
 * Publishes the events of an end and starts the turn that became active by it. Idempotent: after the end was recorded by
 * another attempt, the active turn of the conversation is looked up and started unless a worker has claimed it.
 */
export async function startNextOf(
  { db, events, startTurn, startMemory }: Resources,
  turnId: string,
  conversation_id: string,
  end: TurnEnd | undefined,
): Promise<void> {
  if (end)
    for (const shown of [{ turn_id: turnId, events: end.events }, ...end.above])
      events.publish(shown.turn_id, shown.events)
  // Not awaited, so that memory delays nothing; the sweeper starts what this does not.
  if (end?.remembers)
    startMemory({ conversation_id, ...end.remembers }).catch((error: unknown) =>
      log.warn('the writing of memory was not started; the sweeper starts it', { turn_id: turnId, error }),
    )
  const next = end ? end.next : await findUnclaimed(db, conversation_id)
  if (next) await startTurn(next)
}
