// The execution log over all turns that the key may see.
import { Elysia } from 'elysia'
import { DEFAULT_LIMIT, pageOf } from '../../contracts/schemas/lists.ts'
import { LogFilterSchema, TurnLogEntrySchema } from '../../contracts/schemas/logs.ts'
import { storedTime } from '../../contracts/times.ts'
import { listLog } from '../../db/queries/log.ts'
import { authenticated, page } from '../plugin.ts'
import { replies } from '../replies.ts'
import { visibleUser } from '../services/access.ts'
import type { ApiContext } from '../services/context.ts'
import { viewEntry } from '../services/turns.ts'

export function logRoutes(context: ApiContext) {
  return new Elysia({ prefix: '/logs', tags: ['turns'] }).use(authenticated(context)).get(
    '',
    async ({ principal, query: { limit = DEFAULT_LIMIT, user_id, since, ...filter } }) => {
      const rows = await listLog(context.storage.db, {
        ...filter,
        user_id: visibleUser(principal, user_id),
        since: since && storedTime('read the log', 'since', since),
        limit: limit + 1,
      })
      const { items, ...rest } = page(rows, limit, ({ id }) => id)
      return {
        entries: items.map((row) => ({
          turn_id: row.stream_id,
          agent_id: row.agent_id,
          user_id: row.user_id,
          ...viewEntry(row),
        })),
        ...rest,
      }
    },
    {
      query: LogFilterSchema,
      ...replies({ 200: pageOf('entries', TurnLogEntrySchema) }),
      scope: ['read', 'chat'],
      detail: { summary: 'The execution log of all turns, newest first' },
    },
  )
}
