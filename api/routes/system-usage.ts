// GET /system/usage.
import { Elysia } from 'elysia'
import { Type } from '@sinclair/typebox'
import { SystemUsageSchema, UsagePeriodSchema } from '../../contracts/schemas/system-usage.ts'
import { authenticated } from '../plugin.ts'
import { replies } from '../replies.ts'
import type { ApiContext } from '../services/context.ts'
import { viewSystemUsage } from '../services/system-usage.ts'

export function systemUsageRoutes(context: ApiContext) {
  return new Elysia({ prefix: '/system', tags: ['system'] })
    .use(authenticated(context))
    .get('/usage', ({ query: { period = 'last_24h' } }) => viewSystemUsage(context, period), {
      query: Type.Object({ period: Type.Optional(UsagePeriodSchema) }, { additionalProperties: false }),
      ...replies({ 200: SystemUsageSchema }),
      scope: 'read',
      detail: { summary: 'How much the server was used: requests, turns, users, tokens and cost' },
    })
}
