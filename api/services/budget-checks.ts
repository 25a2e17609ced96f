// Whether the budgets of a message's key and user have room for its turn.
import { budgetExceeded, type UsageOwner } from '../../contracts/budget.ts'
import { findExceeded } from '../../db/queries/budgets.ts'
import { HEAD_START } from '../../db/queries/turns.ts'
import { reserveUsage } from '../../db/queries/usage.ts'
import type { Db, Tx } from '../../db/schema.ts'
import type { PlannedRequest } from './context.ts'

/** @throws MuxiError budget_exceeded when nothing is left of the budget of the key or the user */
export async function checkBudgets(db: Db | Tx, owner: Parameters<typeof findExceeded>[1]): Promise<undefined> {
  const exceeded = await findExceeded(db, owner)
  if (exceeded) throw budgetExceeded(exceeded)
}

/** Inserts the usage row of a head start. @throws MuxiError budget_exceeded */
export async function reserveFirst(
  tx: Tx,
  stream_id: string,
  { needed, ...request }: PlannedRequest,
  owner: UsageOwner,
): Promise<string> {
  const start = { ...owner, ...request, stream_id, step: 1, fence: HEAD_START.fence, input_tokens: needed.tokens }
  const { id, exceeded } = await reserveUsage(tx, start, needed)
  if (exceeded) throw budgetExceeded(exceeded)
  return id
}
