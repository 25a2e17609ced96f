// Daily budgets on the wire: limits in, limits with what is spent out.
import { Type, type Static } from '@sinclair/typebox'
import type { BudgetLimits } from '../budget.ts'
import { CountSchema, TimeSchema } from './fields.ts'

const closed = { additionalProperties: false }
/** Largest limits: whole numbers that JSON and both databases keep. */
const MAX_TOKENS = 1e15
const MAX_USD = 1e9

const limits = {
  daily_tokens: Type.Optional(
    Type.Union([Type.Integer({ minimum: 0, maximum: MAX_TOKENS }), Type.Null()], {
      description: 'Tokens of input and output on one day in UTC; null or left out: no limit',
    }),
  ),
  daily_cost_usd: Type.Optional(
    Type.Union([Type.Number({ minimum: 0, maximum: MAX_USD }), Type.Null()], {
      description: 'US dollars on one day in UTC, by the prices that are known; null or left out: no limit',
    }),
  ),
}

/** At least one limit is named, so that an empty object does not lift the operator's defaults by mistake. */
export const BudgetSchema = Type.Object(limits, {
  ...closed,
  minProperties: 1,
  description: 'The limits of one day; they take the place of the defaults as a whole',
  examples: [{ daily_tokens: 200_000, daily_cost_usd: null }],
})

export function toLimits({ daily_tokens = null, daily_cost_usd = null }: Static<typeof BudgetSchema>): BudgetLimits {
  return { daily_tokens, daily_cost_usd }
}

const Usd = Type.Number({ minimum: 0 })
const LimitsView = {
  daily_tokens: Type.Union([CountSchema, Type.Null()]),
  daily_cost_usd: Type.Union([Usd, Type.Null()]),
}
const SpentView = Type.Object({ requests: CountSchema, tokens: CountSchema, cost_usd: Usd }, closed)

export const BudgetViewSchema = Type.Object(
  {
    ...LimitsView,
    source: Type.Union([Type.Literal('own'), Type.Literal('default')]),
    spent: SpentView,
    reserved: Type.Object({ tokens: CountSchema, cost_usd: Usd }, { ...closed, description: 'By calls in progress' }),
    resets_at: TimeSchema,
  },
  {
    ...closed,
    $id: 'Budget',
    examples: [
      {
        daily_tokens: 200_000,
        daily_cost_usd: null,
        source: 'own',
        spent: { requests: 12, tokens: 48_112, cost_usd: 0.0893 },
        reserved: { tokens: 1_420, cost_usd: 0.0017 },
        resets_at: '2026-11-30T00:00:00.000Z',
      },
    ],
  },
)

export const DeletedBudgetSchema = Type.Object({ status: Type.Literal('deleted') }, closed)
