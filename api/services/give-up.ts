// The end of a turn whose client got an error in place of its id: its reply could not be read, and the client sends the message again.
import { NEVER_ACCEPTED } from '../../contracts/failures.ts'
import { requestStopIn } from '../../db/queries/stop-requests.ts'
import { finishTurn } from '../../db/queries/turn-ends.ts'
import type { StartableTurn } from '../../db/queries/turn-queue.ts'
import type { ApiContext } from './context.ts'
import { stopTurn } from './engine.ts'
import { stopBelow } from './turns.ts'

type Context = Pick<ApiContext, 'storage' | 'client' | 'log'>

/**
 * Ends the turn unless a worker has claimed it, and otherwise requests that it stop: a workflow that starts later claims
 * no turn that has ended. What fails here is left to the sweeper.
 */
export async function giveUpTurn(context: Context, { id: turn_id, conversation_id }: StartableTurn): Promise<void> {
  const { storage, log } = context
  try {
    const ending = { turn_id, conversation_id, status: 'failed' as const, error: NEVER_ACCEPTED }
    const end = await storage.db.transaction().execute(async (tx) => {
      const ended = await finishTurn(tx, ending, ['pending'])
      if (!ended) await requestStopIn(tx, turn_id)
      return ended
    })
    if (end) return storage.events.publish(turn_id, end.events)
    storage.stops.stop(turn_id)
    await stopBelow(storage, turn_id)
    await stopTurn(context, turn_id)
  } catch (error) {
    log.warn({ err: error, turn_id }, 'a turn whose client got an error will be ended by the sweeper')
  }
}
