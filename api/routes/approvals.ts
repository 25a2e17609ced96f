// Approvals: list for all turns of a user.
import { Elysia } from 'elysia'
import { Type } from '@sinclair/typebox'
import { AgentIdSchema } from '../../contracts/schemas/agent.ts'
import { ApprovalStatusSchema } from '../../contracts/schemas/approvals.ts'
import { UserIdSchema } from '../../contracts/schemas/chat.ts'
import { DEFAULT_LIMIT, idPageFields, pageOf } from '../../contracts/schemas/lists.ts'
import { ApprovalSchema } from '../../contracts/schemas/turns.ts'
import { listApprovals } from '../../db/queries/approvals.ts'
import { authenticated, page } from '../plugin.ts'
import { replies } from '../replies.ts'
import { visibleUser } from '../services/access.ts'
import { viewApproval } from '../services/approvals.ts'
import type { ApiContext } from '../services/context.ts'

export function approvalRoutes(context: ApiContext) {
  return new Elysia({ prefix: '/approvals', tags: ['approvals'] }).use(authenticated(context)).get(
    '',
    async ({ principal, query: { limit = DEFAULT_LIMIT, user_id, ...filter } }) => {
      const approvals = await listApprovals(context.storage.db, {
        ...filter,
        user_id: visibleUser(principal, user_id),
        limit: limit + 1,
      })
      const { items, ...rest } = page(approvals, limit, ({ id }) => id)
      return { approvals: items.map(viewApproval), ...rest }
    },
    {
      query: Type.Object(
        {
          ...idPageFields('appr'),
          status: Type.Optional(ApprovalStatusSchema),
          agent_id: Type.Optional(AgentIdSchema),
          user_id: Type.Optional(UserIdSchema),
        },
        { additionalProperties: false },
      ),
      ...replies({ 200: pageOf('approvals', ApprovalSchema) }),
      scope: 'chat',
      detail: { summary: 'List what turns wait for people to decide, or have waited for, newest first' },
    },
  )
}
