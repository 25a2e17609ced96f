// Daily budgets of keys and users as clients see and change them.
import { budgetsReset, type BudgetLimits } from '../../contracts/budget.ts'
import { notFound } from '../../contracts/failures.ts'
import {
  deleteBudget,
  readBudget,
  readKeyBudgets,
  setBudget,
  type BudgetOwner,
  type BudgetView,
} from '../../db/queries/budgets.ts'
import { lockKey } from '../../db/queries/keys.ts'
import type { Db, Tx } from '../../db/schema.ts'

export async function viewBudget(db: Db | Tx, owner: BudgetOwner) {
  return view(await readBudget(db, owner))
}

/** The keys with their budgets. */
export async function withBudgets<T extends { id: string }>(db: Db, keys: readonly T[]) {
  const budgets = await readKeyBudgets(
    db,
    keys.map(({ id }) => id),
  )
  return keys.flatMap((key) => {
    const budget = budgets.get(key.id)
    // Deleted meanwhile.
    return budget ? [{ ...key, budget: view(budget) }] : []
  })
}

/** @throws MuxiError not_found for a key that does not exist; a user need not have been seen before */
export function changeBudget(db: Db, owner: BudgetOwner, limits: BudgetLimits) {
  return db.transaction().execute(async (tx) => {
    if (owner.kind === 'key') await lockKey(tx, owner.id)
    await setBudget(tx, owner, limits)
    return viewBudget(tx, owner)
  })
}

/** @throws MuxiError not_found when it has none of its own */
export async function removeBudget(db: Db, owner: BudgetOwner): Promise<{ status: 'deleted' }> {
  if (!(await deleteBudget(db, owner))) throw notFound(`a budget of ${owner.kind}`, owner.id)
  return { status: 'deleted' }
}

function view(budget: BudgetView) {
  return { ...budget, resets_at: budgetsReset() }
}
