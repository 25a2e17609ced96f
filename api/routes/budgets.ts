// The daily budgets of keys and users: read, set, deleted.
import { Elysia } from 'elysia'
import { Type } from '@sinclair/typebox'
import { notFound } from '../../contracts/failures.ts'
import { BudgetSchema, BudgetViewSchema, DeletedBudgetSchema, toLimits } from '../../contracts/schemas/budgets.ts'
import { UserIdSchema } from '../../contracts/schemas/chat.ts'
import { idSchema } from '../../contracts/schemas/ids.ts'
import { authenticated } from '../plugin.ts'
import { replies } from '../replies.ts'
import { ownUser } from '../services/access.ts'
import { changeBudget, removeBudget, viewBudget, withBudgets } from '../services/budgets.ts'
import type { ApiContext } from '../services/context.ts'

export function budgetRoutes(context: ApiContext) {
  const { db } = context.storage
  const key = { params: Type.Object({ key_id: idSchema('key') }), scope: 'admin' as const }
  const user = { params: Type.Object({ user_id: UserIdSchema }) }
  const manage = { ...user, scope: 'manage' as const }
  const view = replies({ 200: BudgetViewSchema })
  const deleted = replies({ 200: DeletedBudgetSchema })
  const keyOf = ({ key_id: id }: { key_id: string }) => ({ kind: 'key' as const, id })
  const userOf = (id: string) => ({ kind: 'user' as const, id })
  return new Elysia({ tags: ['budgets'] })
    .use(authenticated(context))
    .get(
      '/keys/:key_id/budget',
      async ({ params }) => {
        const [found] = await withBudgets(db, [{ id: params.key_id }])
        if (!found) throw notFound('key', params.key_id)
        return found.budget
      },
      { ...key, ...view, detail: { summary: 'Read the daily budget of a key, and what is spent of it' } },
    )
    .put('/keys/:key_id/budget', async ({ params, body }) => changeBudget(db, keyOf(params), toLimits(body)), {
      ...key,
      ...view,
      body: BudgetSchema,
      detail: { summary: 'Set the daily budget of a key, for the calls that begin from now on' },
    })
    .delete('/keys/:key_id/budget', async ({ params }) => removeBudget(db, keyOf(params)), {
      ...key,
      ...deleted,
      detail: { summary: 'Delete the daily budget of a key: the default applies again' },
    })
    .get(
      '/users/:user_id/budget',
      async ({ principal, params: { user_id } }) => viewBudget(db, userOf(ownUser(principal, user_id))),
      {
        ...user,
        ...view,
        scope: ['chat', 'manage'],
        detail: { summary: 'Read the daily budget of a user, and what is spent of it' },
      },
    )
    .put(
      '/users/:user_id/budget',
      async ({ principal, params: { user_id }, body }) =>
        changeBudget(db, userOf(ownUser(principal, user_id)), toLimits(body)),
      {
        ...manage,
        ...view,
        body: BudgetSchema,
        detail: { summary: 'Set the daily budget of a user, for the calls that begin from now on' },
      },
    )
    .delete(
      '/users/:user_id/budget',
      async ({ principal, params: { user_id } }) => removeBudget(db, userOf(ownUser(principal, user_id))),
      {
        ...manage,
        ...deleted,
        detail: { summary: 'Delete the daily budget of a user: the default applies again' },
      },
    )
}
