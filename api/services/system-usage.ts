// GET /system/usage: how much the server was used in a period, over all processes.
import type { UsagePeriod } from '../../contracts/schemas/system-usage.ts'
import { countTurns, sumModelUsage, sumRequestCounts } from '../../db/queries/request-counts.ts'
import type { ApiContext } from './context.ts'

const HOUR_MS = 3_600_000
const PERIODS: Record<UsagePeriod, number> = { last_hour: 1, last_24h: 24, last_7d: 7 * 24, last_30d: 30 * 24 }

export async function viewSystemUsage({ storage: { db }, requestCounts }: ApiContext, period: UsagePeriod) {
  await requestCounts.flush()
  const since = Date.now() - PERIODS[period] * HOUR_MS
  const endpoints = await sumRequestCounts(db, since)
  const { agents, users } = await countTurns(db, since)
  return {
    period,
    endpoints,
    agent_usage: agents,
    user_count: users,
    total_requests: Object.values(endpoints).reduce((sum, count) => sum + count, 0),
    ...(await sumModelUsage(db, since)),
  }
}
