// Requests by route and hour, and what turns and model calls came to in a time.
import { sql } from 'kysely'
import { roundCost } from '../../contracts/budget.ts'
import type { Db } from '../schema.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** The hour of a moment, such as `2026-11-29T18`. */
export const hourOf = (at: number): string => new Date(at).toISOString().slice(0, 13)

/** Adds counts to those of an hour. */
export async function addRequestCounts(db: Db, hour: string, counts: ReadonlyMap<string, number>): Promise<void> {
  // In the same order in every process: no deadlock.
  const rows = [...counts]
    .map(([name, count]) => ({ hour, name, count }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  await db
    .insertInto('request_counts')
    .values(rows)
    .onConflict((oc) =>
      oc.columns(['hour', 'name']).doUpdateSet({ count: sql<number>`request_counts.count + excluded.count` }),
    )
    .execute()
}

/** The requests of each route since a moment; the hour in which it lies counts as a whole. */
export async function sumRequestCounts(db: Db, since: number): Promise<Record<string, number>> {
  const rows = await db
    .selectFrom('request_counts')
    .select(({ fn }) => ['name', fn.sum<number>('count').as('n')])
    .where('hour', '>=', hourOf(since))
    .groupBy('name')
    .orderBy('name')
    .execute()
  return Object.fromEntries(rows.map(({ name, n }) => [name, Number(n)]))
}

/** Turns of clients since a moment: how many of each agent, and of how many users. */
export async function countTurns(db: Db, since: number): Promise<{ agents: Record<string, number>; users: number }> {
  const agents = new Map<string, number>()
  const users = new Set<string>()
  for (const { from, to } of daysSince(since)) {
    const rows = await db
      .selectFrom('turns')
      .select(({ fn }) => ['agent_id', 'user_id', fn.countAll<number>().as('n')])
      .where('id', '>=', turnIdAt(from))
      .where('id', '<', turnIdAt(to))
      .where('parent_turn_id', 'is', null)
      .groupBy(['agent_id', 'user_id'])
      .execute()
    for (const { agent_id, user_id, n } of rows) {
      agents.set(agent_id, (agents.get(agent_id) ?? 0) + Number(n))
      users.add(user_id)
    }
  }
  return { agents: Object.fromEntries([...agents].toSorted(([a], [b]) => (a < b ? -1 : 1))), users: users.size }
}

/** Tokens and cost of the model calls that were sent since a moment and have ended. */
export async function sumModelUsage(db: Db, since: number): Promise<{ tokens: number; cost_usd: number }> {
  let tokens = 0
  let cost = 0
  for (const { from, to } of daysSince(since)) {
    const row = await db
      .selectFrom('model_usage')
      .select([
        sql<number | null>`sum(case status when 'sent' then 0 else input_tokens + output_tokens end)`.as('tokens'),
        sql<number | null>`sum(coalesce(cost_usd, 0))`.as('cost_usd'),
      ])
      .where('created_at', '>=', new Date(from).toISOString())
      .where('created_at', '<', new Date(to).toISOString())
      .executeTakeFirstOrThrow()
    tokens += Number(row.tokens ?? 0)
    cost += Number(row.cost_usd ?? 0)
  }
  return { tokens, cost_usd: roundCost(cost) }
}

/** On SQLite a statement blocks its process, so that a long period is read day by day. */
function daysSince(since: number): { from: number; to: number }[] {
  // A row may carry the time of another machine's clock.
  const until = Date.now() + HOUR_MS
  const count = Math.ceil((until - since) / DAY_MS)
  return Array.from({ length: count }, (_, day) => ({
    from: since + day * DAY_MS,
    to: Math.min(until, since + (day + 1) * DAY_MS),
  }))
}

/** The least id of a turn that begins at a moment: ids are UUIDv7. */
function turnIdAt(at: number): string {
  return `turn_${Math.floor(at).toString(16).padStart(12, '0')}`
}
