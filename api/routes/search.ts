// Search in a user's own messages.
import { Elysia } from 'elysia'
import { DEFAULT_RESULTS, SearchQuerySchema, SearchResultsSchema } from '../../contracts/schemas/search.ts'
import { authenticated } from '../plugin.ts'
import { replies } from '../replies.ts'
import { actingUser } from '../services/access.ts'
import type { ApiContext } from '../services/context.ts'
import { searchMessages } from '../services/search.ts'

export function searchRoutes(context: ApiContext) {
  return new Elysia({ prefix: '/search', tags: ['conversations'] }).use(authenticated(context)).get(
    '',
    async ({ principal, query: { user_id, limit = DEFAULT_RESULTS, ...asked } }) => ({
      results: await searchMessages(context, {
        ...asked,
        limit,
        key_id: principal.key_id,
        user_id: actingUser(principal, user_id),
      }),
    }),
    {
      query: SearchQuerySchema,
      ...replies({ 200: SearchResultsSchema }),
      scope: 'chat',
      detail: {
        summary: "Search a user's own messages by words and meaning, best first",
        description:
          '`similarity` is from 0 to 1: of the meaning, or the share of the words of the query that are in the message, whichever is larger.',
      },
    },
  )
}
