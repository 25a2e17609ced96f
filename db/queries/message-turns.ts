// What the turns of messages did: read for a page of messages by one statement a table.
import type { Db, ToolCallsTable, TurnsTable } from '../schema.ts'
import type { ApprovalRow } from './approvals.ts'

/** A turn with its tool calls and approvals, also those of turns below it, in the order in which they were made. */
export interface TurnRows {
  turn: TurnsTable
  calls: ToolCallsTable[]
  approvals: ApprovalRow[]
}

/** The turns by id. */
export async function readTurns(db: Db, ids: readonly string[]): Promise<Map<string, TurnRows>> {
  if (ids.length === 0) return new Map()
  const turns = await db.selectFrom('turns').selectAll().where('id', 'in', ids).execute()
  const calls = await db
    .selectFrom('tool_calls')
    .selectAll()
    .where('turn_id', 'in', ids)
    .orderBy('step')
    .orderBy('position')
    .execute()
  const approvals = await db
    .selectFrom('approvals')
    .selectAll()
    .where((eb) => eb.or([eb('turn_id', 'in', ids), eb('root_turn_id', 'in', ids)]))
    .orderBy('id')
    .execute()
  const callsOf = Map.groupBy(calls, ({ turn_id }) => turn_id)
  const approvalsOf = Map.groupBy(approvals, ({ turn_id, root_turn_id }) => root_turn_id ?? turn_id)
  return new Map(
    turns.map((turn) => [
      turn.id,
      { turn, calls: callsOf.get(turn.id) ?? [], approvals: approvalsOf.get(turn.id) ?? [] },
    ]),
  )
}
