// What was spent on models, as clients see it: by key, user, agent, model or day, over whole days in UTC.
import { type TSchema, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { roundCost, utcDay } from '../../contracts/budget.ts'
import { MuxiError, wrongField } from '../../contracts/failures.ts'
import { AgentFilterSchema } from '../../contracts/schemas/agent.ts'
import { UserIdSchema } from '../../contracts/schemas/chat.ts'
import { idSchema } from '../../contracts/schemas/ids.ts'
import { DEFAULT_LIMIT } from '../../contracts/schemas/lists.ts'
import type { SpendingQuery } from '../../contracts/schemas/spending.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { listDays, listSpendingBy, listSpendingOf, type Days, type Spending } from '../../db/queries/spending.ts'
import type { Db } from '../../db/schema.ts'
import { actingUser, ANYBODY, visibleUser } from './access.ts'

/** What a page of groups may go on after; of models any text. */
const CURSORS: Partial<Record<NonNullable<SpendingQuery['group_by']>, TSchema>> = {
  day: Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\d$' }),
  user: UserIdSchema,
  // `none` stands for requests without a key.
  key: Type.Union([Type.Literal(ANYBODY.key_id), idSchema('key')]),
  agent: Type.Union([Type.Literal(''), AgentFilterSchema]),
}
const DAY_MS = 86_400_000
const DAYS = { today: 1, last_7d: 7, last_30d: 30 }

/** One more group than the limit, when there are more. @throws MuxiError forbidden */
export async function viewSpending(db: Db, principal: Principal, query: SpendingQuery) {
  const { group_by = 'day', period = 'today', limit = DEFAULT_LIMIT, cursor } = query
  const isReader = principal.scopes.has('admin') || principal.scopes.has('read')
  // A key that may only chat sees the user that it acts as.
  const user = (isReader ? visibleUser : actingUser)(principal, query.user_id)
  if (group_by === 'key' && !isReader)
    throw new MuxiError('forbidden', "Cannot read what keys have spent: the key must have the scope 'read'")
  const form = CURSORS[group_by]
  if (cursor !== undefined && form && !Value.Check(form, cursor))
    throw wrongField('read the usage', 'cursor', '`next_cursor` of the page before', cursor)
  const days = daysOf(period)
  return { period, ...days, group_by, usage: await list() }

  function list(): Promise<Spending[]> {
    const more = { limit: limit + 1, cursor }
    if (group_by === 'user') return listSpendingOf(db, 'user', days, more, user)
    if (group_by === 'key' && user === undefined) return listSpendingOf(db, 'key', days, more)
    const all = group_by === 'day' ? listDays(db, days, user) : sumDays(group_by)
    return all.then((found) => found.filter(({ id }) => cursor === undefined || (id ?? '') > cursor))
  }

  async function sumDays(group: 'agent' | 'model' | 'key'): Promise<Spending[]> {
    const sums = new Map<string | null, Spending>()
    for (let at = Date.parse(days.since); at <= Date.parse(days.until); at += DAY_MS) {
      for (const spent of await listSpendingBy(db, group, utcDay(new Date(at)), user)) {
        const before = sums.get(spent.id)
        sums.set(spent.id, before ? add(before, spent) : spent)
      }
    }
    return [...sums.values()].toSorted((a, b) => ((a.id ?? '') < (b.id ?? '') ? -1 : 1))
  }
}

function daysOf(period: keyof typeof DAYS): Days {
  const until = utcDay()
  return { since: utcDay(new Date(Date.parse(until) - (DAYS[period] - 1) * DAY_MS)), until }
}

function add(a: Spending, b: Spending): Spending {
  return {
    id: a.id,
    requests: a.requests + b.requests,
    input_tokens: a.input_tokens + b.input_tokens,
    output_tokens: a.output_tokens + b.output_tokens,
    cost_usd: roundCost(a.cost_usd + b.cost_usd),
  }
}
