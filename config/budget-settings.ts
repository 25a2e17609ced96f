// Daily budgets of keys and users that have none of their own: MUXI_BUDGET_DAILY_TOKENS_PER_KEY and its like.
import type { BudgetLimits } from '../contracts/budget.ts'
import type { SettingReader } from './setting-reader.ts'

const MAX_TOKENS = 1e15

export interface BudgetSettings {
  readonly key: BudgetLimits
  readonly user: BudgetLimits
}

export function readBudgets(read: SettingReader): BudgetSettings {
  return { key: readLimits(read, 'KEY'), user: readLimits(read, 'USER') }
}

function readLimits(read: SettingReader, of: 'KEY' | 'USER'): BudgetLimits {
  const cost = read.matching(
    `MUXI_BUDGET_DAILY_COST_USD_PER_${of}`,
    (value) => /^\d{1,9}(\.\d{1,9})?$/.test(value),
    'an amount in US dollars, such as 2.50',
  )
  return {
    daily_tokens: read.integer(`MUXI_BUDGET_DAILY_TOKENS_PER_${of}`, { min: 0, max: MAX_TOKENS }) ?? null,
    daily_cost_usd: cost === undefined ? null : Number(cost),
  }
}
