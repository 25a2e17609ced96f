// GET /usage: tokens and cost of model calls.
import { Elysia } from 'elysia'
import { DEFAULT_LIMIT } from '../../contracts/schemas/lists.ts'
import { SpendingQuerySchema, SpendingSchema } from '../../contracts/schemas/spending.ts'
import { authenticated, page } from '../plugin.ts'
import { replies } from '../replies.ts'
import type { ApiContext } from '../services/context.ts'
import { viewSpending } from '../services/spending.ts'

export function spendingRoutes(context: ApiContext) {
  const { db } = context.storage
  return new Elysia({ tags: ['budgets'] }).use(authenticated(context)).get(
    '/usage',
    async ({ principal, query }) => {
      const { usage, ...answer } = await viewSpending(db, principal, query)
      const { items, ...rest } = page(usage, query.limit ?? DEFAULT_LIMIT, ({ id }) => id ?? '')
      return { ...answer, usage: items, ...rest }
    },
    {
      query: SpendingQuerySchema,
      ...replies({ 200: SpendingSchema }),
      scope: ['chat', 'read'],
      detail: { summary: 'Read what model calls came to, by day, user, agent, model or key' },
    },
  )
}
