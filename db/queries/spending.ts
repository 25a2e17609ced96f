// What was spent on models over some days, by key, user, agent, model or day.
import { sql } from 'kysely'
import { roundCost } from '../../contracts/budget.ts'
import type { Db } from '../schema.ts'
import type { BudgetKind } from './budgets.ts'

export interface Spending {
  /** Null: calls without an agent, or of users that were forgotten. */
  id: string | null
  requests: number
  input_tokens: number
  output_tokens: number
  cost_usd: number
}

export interface Days {
  /** The first and the last day in UTC, such as `2026-11-29`. */
  since: string
  until: string
}

interface Page {
  limit: number
  cursor: string | undefined
}

/** What keys or users have spent, by id: sums of their counters, read along the primary key. @param id only this one */
export async function listSpendingOf(
  db: Db,
  kind: BudgetKind,
  { since, until }: Days,
  { limit, cursor }: Page,
  id?: string,
): Promise<Spending[]> {
  let query = counters(db)
    .select('owner_id as id')
    .where('owner_kind', '=', kind)
    .where('day', '>=', since)
    .where('day', '<=', until)
    .groupBy('owner_id')
    .orderBy('owner_id')
    .limit(limit)
  if (cursor !== undefined) query = query.where('owner_id', '>', cursor)
  if (id !== undefined) query = query.where('owner_id', '=', id)
  return (await query.execute()).map(toSpending)
}

/** What was spent on each day, by one user or by all keys. */
export async function listDays(db: Db, { since, until }: Days, userId: string | undefined): Promise<Spending[]> {
  const query = counters(db)
    .select('day as id')
    .where('owner_kind', '=', userId === undefined ? 'key' : 'user')
    .where('day', '>=', since)
    .where('day', '<=', until)
    .groupBy('day')
    .orderBy('day')
  const rows = await (userId === undefined ? query : query.where('owner_id', '=', userId)).execute()
  return rows.map(toSpending)
}

const counters = (db: Db) =>
  db
    .selectFrom('usage_days')
    .select(({ fn }) => [
      fn.sum<number>('requests').as('requests'),
      fn.sum<number>('input_tokens').as('input_tokens'),
      fn.sum<number>('output_tokens').as('output_tokens'),
      fn.sum<number>('cost_usd').as('cost_usd'),
    ])

const GROUPS = {
  agent: sql<string | null>`agent_id`,
  model: sql<string | null>`provider || ':' || model`,
  key: sql<string | null>`key_id`,
}
export type Group = keyof typeof GROUPS

/** The usage of one day by group. On SQLite a statement blocks its process, so that longer periods are read day by day. */
export async function listSpendingBy(
  db: Db,
  group: Group,
  day: string,
  userId: string | undefined,
): Promise<Spending[]> {
  const ended = (column: 'input_tokens' | 'output_tokens') =>
    sql<number>`sum(case status when 'sent' then 0 else ${sql.ref(column)} end)`.as(column)
  let query = db
    .selectFrom('model_usage')
    .select(({ fn }) => [
      GROUPS[group].as('id'),
      fn.countAll<number>().as('requests'),
      ended('input_tokens'),
      ended('output_tokens'),
      sql<number>`sum(coalesce(cost_usd, 0))`.as('cost_usd'),
    ])
    .where('created_at', '>=', day)
    .where('created_at', '<', `${day}U`)
    .groupBy(GROUPS[group])
  if (userId !== undefined) query = query.where('user_id', '=', userId)
  return (await query.execute()).map(toSpending)
}

function toSpending({ id, requests, input_tokens, output_tokens, cost_usd }: Spending): Spending {
  return {
    id,
    requests: Number(requests),
    input_tokens: Number(input_tokens),
    output_tokens: Number(output_tokens),
    cost_usd: roundCost(Number(cost_usd)),
  }
}
