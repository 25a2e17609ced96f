// The steps of a tool call: each is one transaction under the turn's lock.
import { addEvents, type Addition, type Writer } from '../../db/event-rows.ts'
import type { Shown } from '../../db/queries/approval-changes.ts'
import { lockTurn } from '../../db/queries/turns.ts'
import type { ToolCallsTable, Tx } from '../../db/schema.ts'
import { overtaken } from '../failures.ts'
import type { ActivityResources } from '../resources.ts'

/** @returns a function that runs a step in one transaction, and publishes its events once they are committed */
export function callTransactions({ db, events }: Pick<ActivityResources, 'db' | 'events'>) {
  return async function commit<T>(
    turnId: string,
    work: (
      tx: Tx,
      show: (writer: Writer | undefined, additions: Addition[]) => Promise<void>,
      shown: Shown[],
    ) => Promise<T>,
  ): Promise<T> {
    const { value, shown } = await db.transaction().execute(async (tx) => {
      await lockTurn(tx, turnId)
      const shown: Shown[] = []
      const value = await work(
        tx,
        async (writer, additions) => {
          const added = await addEvents(tx, turnId, writer, additions)
          if ('refused' in added) throw overtaken()
          shown.push({ turn_id: turnId, events: added.events })
        },
        shown,
      )
      return { value, shown }
    })
    for (const each of shown) events.publish(each.turn_id, each.events)
    return value
  }
}

/** The keys of a tool call, of what is known about it. */
export function refOf({ turn_id, call_id }: Pick<ToolCallsTable, 'turn_id' | 'call_id'>) {
  return { turn_id, call_id }
}
