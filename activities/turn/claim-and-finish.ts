// The beginning of a turn that has to read attachments first, and the end of one that failed or was cancelled.
import { activityInfo } from '@temporalio/activity'
import type { FinalStatus, FinishInput } from '../../contracts/turn.ts'
import { addEvents } from '../../db/event-rows.ts'
import { claimTurn } from '../../db/queries/turn-starts.ts'
import { getTurn, isFinalStatus } from '../../db/queries/turns.ts'
import { endTurn } from './end-turn.ts'
import type { ActivityResources } from '../resources.ts'
import type { TurnResources } from './turn-resources.ts'

/** `claimed: false`: the turn is over. */
export type ClaimResult = { claimed: true } | { claimed: false; status: FinalStatus }

export function claimAndFinishActivities(
  resources: Pick<ActivityResources, 'db' | 'events'> & Pick<TurnResources, 'startTurn' | 'startMemory'>,
) {
  const { db, events } = resources
  return {
    /** Claims the turn for the calling workflow, before its first model call. */
    async claimTurn({ turn_id }: { turn_id: string }): Promise<ClaimResult> {
      const runId = activityInfo().workflowExecution?.runId ?? ''
      const claimed = await db.transaction().execute(async (tx) => {
        const turn = await claimTurn(tx, turn_id, runId)
        if (!turn) return undefined
        const added =
          turn.additions.length > 0 ? await addEvents(tx, turn_id, undefined, turn.additions) : { events: [] }
        return 'events' in added ? added.events : []
      })
      if (claimed) {
        events.publish(turn_id, claimed)
        return { claimed: true }
      }
      const turn = await getTurn(db, turn_id)
      if (isFinalStatus(turn.status)) return { claimed: false, status: turn.status }
      return { claimed: false, status: await endTurn(resources, endingOf(turn, 'cancelled')) }
    },

    /** Records how the turn ended, once. @returns the final status */
    async finishTurn({ turn_id, status, failure }: FinishInput): Promise<FinalStatus> {
      return endTurn(resources, { ...endingOf(await getTurn(db, turn_id), status), error: failure })
    },
  }
}

function endingOf({ id, conversation_id }: { id: string; conversation_id: string }, status: FinalStatus) {
  return { turn_id: id, conversation_id, status }
}
