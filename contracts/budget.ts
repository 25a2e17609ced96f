// Daily budgets: what a key and a user may spend on models on one day in UTC.
import { MuxiError } from './failures.ts'

export interface BudgetLimits {
  /** Input and output together. Null: no limit. */
  daily_tokens: number | null
  daily_cost_usd: number | null
}

/** Who pays for a model call: the key that the message or file came with, and its user. */
export interface UsageOwner {
  key_id: string | null
  user_id: string | null
  /** The agent that spends it; `auto` while the orchestrator chooses. */
  agent_id: string | null
}

/** The budget that leaves no room for another call. */
export interface ExceededBudget {
  of: 'key' | 'user'
  limit: keyof BudgetLimits
  limit_value: number
  spent: number
  /** By calls that have not ended. */
  reserved: number
  /** What the refused call takes for certain. */
  needed: number
}

const UNITS = { daily_tokens: 'tokens', daily_cost_usd: 'USD' }

/** The day of a budget, such as `2026-11-29`. */
export function utcDay(at = new Date()): string {
  return at.toISOString().slice(0, 10)
}

/** When the budgets of today are whole again. */
export function budgetsReset(now = Date.now()): string {
  return new Date(Math.floor(now / DAY_MS) * DAY_MS + DAY_MS).toISOString()
}

const DAY_MS = 86_400_000

/** Costs are sums of fractions: without the digits that only come from adding and subtracting. */
export function roundCost(usd: number): number {
  return Math.max(0, Math.round(usd * 1e9) / 1e9)
}

/** The error of a call that was not made, for clients and for the histories of workflows: it names no key and no user. */
export function budgetExceeded({ of, limit, limit_value, spent, reserved, needed }: ExceededBudget): MuxiError {
  const resets_at = budgetsReset()
  const unit = UNITS[limit]
  const message =
    `Cannot call a model: the daily budget of the ${of} is ${limit_value} ${unit}, of which ${spent} are spent` +
    (reserved > 0 ? ` and ${reserved} reserved by calls in progress` : '') +
    (needed > 0 && spent + reserved < limit_value ? `, and the call takes at least ${needed}` : '') +
    `; it begins again at ${resets_at}`
  const details = { budget: of, limit, [limit]: limit_value, spent, reserved, needed, resets_at }
  return new MuxiError('budget_exceeded', message, { details, retryAfter: secondsUntil(resets_at) })
}

/** Retry-After of a budget that begins again then. */
export function secondsUntil(time: string, now = Date.now()): number {
  return Math.max(1, Math.ceil((Date.parse(time) - now) / 1_000))
}
