// The live feed of changes over SSE.
import { Elysia } from 'elysia'
import { ChangedEventSchema, FeedQuerySchema } from '../../contracts/schemas/feed.ts'
import { authenticated } from '../plugin.ts'
import { replies, streamOf } from '../replies.ts'
import type { ApiContext } from '../services/context.ts'
import { readTopics, type FeedChange } from '../services/feed.ts'
import { framesResponse } from '../sse.ts'

export function eventRoutes(context: ApiContext) {
  return new Elysia({ prefix: '/events', tags: ['events'] }).use(authenticated(context)).get(
    '',
    ({ principal, query: { topics }, request }) => {
      const wanted = readTopics(topics)
      return framesResponse(context, principal, request, async (signal, close) =>
        feedFrames(await context.feed.subscribe(principal, wanted, signal, close)),
      )
    },
    {
      query: FeedQuerySchema,
      ...replies({ 200: streamOf(ChangedEventSchema) }),
      scope: ['chat', 'read'],
      detail: {
        summary: 'Follow changes of lists: `changed {topic, id, op, item}`, from now on',
        description:
          'There is no replay: after a reconnect read the lists again. `item` has the form of the list route of its topic, and is null when `op` is `deleted`. A reader that is too slow is disconnected.',
      },
    },
  )
}

async function* feedFrames(changes: AsyncGenerator<FeedChange[]>): AsyncGenerator<string> {
  // Sent at once: what changes after this is sent too.
  yield ': listening\n\n'
  for await (const batch of changes) yield batch.map(({ json }) => `event: changed\ndata: ${json}\n\n`).join('')
}
