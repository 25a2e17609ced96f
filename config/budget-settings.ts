// Daily budgets of keys and users that have none of their own: MUXI_BUDGET_DAILY_TOKENS_PER_KEY and its like.
import type { BudgetLimits } from '../contracts/budget.ts'
import type { SettingReader } from './setting-reader.ts'

const PREFIX = 'MUXI_BUDGET_'
const TOKENS = `${PREFIX}DAILY_TOKENS_PER_`
const COST = `${PREFIX}DAILY_COST_USD_PER_`
const MAX_TOKENS = 1e14

export interface BudgetSettings {
  readonly key: BudgetLimits
  readonly user: BudgetLimits
}

export function readBudgets(read: SettingReader): BudgetSettings {
  // A budget that is not read because of its spelling would be no budget.
  read.only(PREFIX, [`${TOKENS}KEY`, `${COST}KEY`, `${TOKENS}USER`, `${COST}USER`])
  return { key: readLimits(read, 'KEY'), user: readLimits(read, 'USER') }
}

function readLimits(read: SettingReader, of: 'KEY' | 'USER'): BudgetLimits {
  const cost = read.matching(
    COST + of,
    (value) => /^\d{1,9}(\.\d{1,9})?$/.test(value),
    'an amount in US dollars, such as 2.50',
  )
  return {
    daily_tokens: read.integer(TOKENS + of, { min: 0, max: MAX_TOKENS }) ?? null,
    daily_cost_usd: cost === undefined ? null : Number(cost),
  }
}
