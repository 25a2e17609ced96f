// Daily budgets of keys and users, and what is left of them: own limits, else the operator's defaults.
import { sql, type RawBuilder } from 'kysely'
import { roundCost, utcDay, type BudgetLimits, type ExceededBudget, type UsageOwner } from '../../contracts/budget.ts'
import { compiled } from '../compiled.ts'
import type { BudgetsTable, Db, Tx, UsageDaysTable } from '../schema.ts'

export type BudgetKind = UsageDaysTable['owner_kind']
export interface BudgetOwner {
  kind: BudgetKind
  id: string
}

/** Sets the limits of one owner; the operator's defaults no longer apply to it. */
export async function setBudget(db: Db | Tx, { kind, id }: BudgetOwner, limits: BudgetLimits): Promise<void> {
  await upsertBudget(db, { owner_kind: kind, owner_id: id, ...limits })
}

/** @returns whether there was one */
export async function deleteBudget(db: Db | Tx, { kind, id }: BudgetOwner): Promise<boolean> {
  const deleted = await db
    .deleteFrom('budgets')
    .where('owner_kind', '=', kind)
    .where('owner_id', '=', id)
    .executeTakeFirst()
  return deleted.numDeletedRows > 0n
}

/** Stores the operator's defaults: of every key and every user without a budget of its own. */
export async function setDefaultBudgets(db: Db, defaults: { key: BudgetLimits; user: BudgetLimits }): Promise<void> {
  await upsertBudget(db, { owner_kind: 'every_key', owner_id: '', ...defaults.key })
  await upsertBudget(db, { owner_kind: 'every_user', owner_id: '', ...defaults.user })
}

async function upsertBudget(db: Db | Tx, budget: Omit<BudgetsTable, 'updated_at'>): Promise<void> {
  const { daily_tokens, daily_cost_usd } = budget
  const updated_at = new Date().toISOString()
  await db
    .insertInto('budgets')
    .values({ ...budget, updated_at })
    .onConflict((oc) =>
      oc.columns(['owner_kind', 'owner_id']).doUpdateSet({ daily_tokens, daily_cost_usd, updated_at }),
    )
    .execute()
}

/** Deletes the budgets of owners and what is counted of them. */
export async function forgetSpending(tx: Tx, kind: BudgetKind, ids: readonly string[]): Promise<void> {
  // What a deleted key has spent stays in the sums of its days.
  const tables = kind === 'key' ? (['budgets'] as const) : (['budgets', 'usage_days'] as const)
  for (const table of tables)
    for (const id of ids) await tx.deleteFrom(table).where('owner_kind', '=', kind).where('owner_id', '=', id).execute()
}

export interface BudgetView extends BudgetLimits {
  /** Where the limits come from. */
  source: 'own' | 'default'
  /** Today, in UTC. */
  spent: { requests: number; tokens: number; cost_usd: number }
  /** By calls that have not ended. */
  reserved: { tokens: number; cost_usd: number }
}

interface BudgetRow {
  id: string
  kind: BudgetKind
  own: number | boolean
  daily_tokens: number | null
  daily_cost_usd: number | null
  requests: number | null
  tokens: number | null
  cost_usd: number | null
  reserved_tokens: number | null
  reserved_cost_usd: number | null
}

/** The limits of owners and what they have spent today: three rows each, found by their primary keys. @param owners a column `id` */
function budgetsOf(db: Db | Tx, kind: BudgetKind, owners: RawBuilder<{ id: string }>, day: string) {
  return db
    .selectFrom(owners.as('owner'))
    .leftJoin('budgets as own', (join) => join.on('own.owner_kind', '=', kind).onRef('own.owner_id', '=', 'owner.id'))
    .leftJoin('budgets as every', (join) =>
      join.on('every.owner_kind', '=', `every_${kind}`).on('every.owner_id', '=', ''),
    )
    .leftJoin('usage_days as today', (join) =>
      join.on('today.owner_kind', '=', kind).onRef('today.owner_id', '=', 'owner.id').on('today.day', '=', day),
    )
    .select([
      'owner.id',
      sql.lit(kind).as('kind'),
      sql<number | boolean>`own.owner_id is not null`.as('own'),
      sql<number | null>`case when own.owner_id is null then every.daily_tokens else own.daily_tokens end`.as(
        'daily_tokens',
      ),
      sql<number | null>`case when own.owner_id is null then every.daily_cost_usd else own.daily_cost_usd end`.as(
        'daily_cost_usd',
      ),
      'today.requests',
      sql<number | null>`today.input_tokens + today.output_tokens`.as('tokens'),
      'today.cost_usd',
      'today.reserved_tokens',
      'today.reserved_cost_usd',
    ])
}

const one = (id: string) => sql<{ id: string }>`(select cast(${id} as text) as id)`

export async function readBudget(db: Db | Tx, { kind, id }: BudgetOwner): Promise<BudgetView> {
  return toView(await budgetsOf(db, kind, one(id), utcDay()).executeTakeFirstOrThrow())
}

/** The budgets of some keys, by their ids. */
export async function readKeyBudgets(db: Db, ids: readonly string[]): Promise<Map<string, BudgetView>> {
  if (ids.length === 0) return new Map()
  const keys = sql<{ id: string }>`(select id from api_keys where id in (${sql.join(ids)}))`
  const rows = await budgetsOf(db, 'key', keys, utcDay()).execute()
  return new Map(rows.map((row) => [row.id, toView(row)]))
}

function toView(row: BudgetRow): BudgetView {
  const number = (value: number | null) => Number(value ?? 0)
  return {
    daily_tokens: row.daily_tokens === null ? null : Number(row.daily_tokens),
    daily_cost_usd: row.daily_cost_usd === null ? null : Number(row.daily_cost_usd),
    source: row.own ? 'own' : 'default',
    spent: {
      requests: number(row.requests),
      tokens: number(row.tokens),
      cost_usd: roundCost(number(row.cost_usd)),
    },
    reserved: { tokens: number(row.reserved_tokens), cost_usd: roundCost(number(row.reserved_cost_usd)) },
  }
}

const selectBudgets = compiled<{ key_id: string; user_id: string; day: string }, BudgetRow>((db, parameter) => {
  const of = (kind: BudgetKind, id: string) => budgetsOf(db, kind, one(id), parameter('day'))
  return of('key', parameter('key_id')).unionAll(of('user', parameter('user_id')))
})

/** What a call takes for certain, before it is made. */
export interface Needed {
  tokens: number
  cost_usd: number
}
/** What is reserved for a call while it is in progress. */
export type Reservation = Needed

const NOTHING: Needed = { tokens: 0, cost_usd: 0 }

/**
 * The budget that leaves no room for a call: it is used up, or what the call takes for certain does not fit.
 * @param own what is counted as reserved already for this very call
 */
export async function findExceeded(
  db: Db | Tx,
  { key_id, user_id }: Pick<UsageOwner, 'key_id' | 'user_id'>,
  needed: Needed = NOTHING,
  own: Reservation = NOTHING,
): Promise<ExceededBudget | undefined> {
  const { rows } = await selectBudgets(db, { key_id: key_id ?? '', user_id: user_id ?? '', day: utcDay() })
  for (const row of rows) {
    if ((row.kind === 'key' ? key_id : user_id) === null) continue
    const { daily_tokens, daily_cost_usd, spent, reserved } = toView(row)
    const checks = [
      ['daily_tokens', daily_tokens, spent.tokens, reserved.tokens - own.tokens, needed.tokens],
      ['daily_cost_usd', daily_cost_usd, spent.cost_usd, roundCost(reserved.cost_usd - own.cost_usd), needed.cost_usd],
    ] as const
    for (const [limit, limit_value, used, open, more] of checks) {
      if (limit_value === null) continue
      if (used + open >= limit_value || used + open + more > limit_value)
        return { of: row.kind, limit, limit_value, spent: used, reserved: Math.max(0, open), needed: more }
    }
  }
  return undefined
}
