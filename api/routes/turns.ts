// Turns: list, read, follow, stop, and their execution log.
import { Elysia } from 'elysia'
import { Type } from '@sinclair/typebox'
import { TurnIdSchema, UserIdSchema } from '../../contracts/schemas/chat.ts'
import { AgentFilterSchema } from '../../contracts/schemas/agent.ts'
import { ApprovalIdSchema, DecisionSchema } from '../../contracts/schemas/approvals.ts'
import { eventSchema, TurnEventSchema } from '../../contracts/schemas/events.ts'
import { DEFAULT_LIMIT, idPageFields, pageOf } from '../../contracts/schemas/lists.ts'
import { resumeHeaders } from '../../contracts/schemas/streams.ts'
import {
  ApprovalSchema,
  logEventData,
  TurnBriefSchema,
  TurnLogSchema,
  TurnSchema,
  TurnStatusSchema,
} from '../../contracts/schemas/turns.ts'
import { isFinalStatus, listTurns } from '../../db/queries/turns.ts'
import { authenticated, page } from '../plugin.ts'
import { noBody, replies, streamOf } from '../replies.ts'
import { visibleUser } from '../services/access.ts'
import { decide, viewApproval } from '../services/approvals.ts'
import type { ApiContext } from '../services/context.ts'
import { cancelTurn, followLog, getTurnOrThrow, viewLog, viewTurn, viewTurnBriefly } from '../services/turns.ts'
import { resumeEvents } from '../services/events.ts'
import { framesResponse, readLastEventId, sseResponse } from '../sse.ts'

const LogEventSchema = eventSchema('LogEvent', logEventData)

export function turnRoutes(context: ApiContext) {
  const params = Type.Object({ turn_id: TurnIdSchema })
  return new Elysia({ prefix: '/turns', tags: ['turns'] })
    .use(authenticated(context))
    .get(
      '',
      async ({ principal, query: { limit = DEFAULT_LIMIT, user_id, ...filter } }) => {
        const turns = await listTurns(context.storage.db, {
          ...filter,
          user_id: visibleUser(principal, user_id),
          limit: limit + 1,
        })
        const { items, ...rest } = page(turns, limit, ({ id }) => id)
        return { turns: items.map((turn) => viewTurnBriefly(context, turn)), ...rest }
      },
      {
        query: Type.Object(
          {
            ...idPageFields('turn'),
            status: Type.Optional(TurnStatusSchema),
            agent_id: Type.Optional(AgentFilterSchema),
            user_id: Type.Optional(UserIdSchema),
          },
          { additionalProperties: false },
        ),
        ...replies({ 200: pageOf('turns', TurnBriefSchema) }),
        scope: 'chat',
        detail: { summary: 'List turns, newest first' },
      },
    )
    .get(
      '/:turn_id',
      async ({ principal, params: { turn_id } }) =>
        viewTurn(context, await getTurnOrThrow(context, principal, turn_id)),
      { params, ...replies({ 200: TurnSchema }), scope: 'chat', detail: { summary: 'Read a turn' } },
    )
    .get(
      '/:turn_id/stream',
      async ({ principal, params: { turn_id }, request }) => {
        const turn = await getTurnOrThrow(context, principal, turn_id)
        const after = readLastEventId(request.headers.get('last-event-id'))
        return sseResponse(context, principal, request, (signal) => resumeEvents(context.storage, turn, after, signal))
      },
      {
        params,
        headers: resumeHeaders,
        ...replies({ 200: streamOf(TurnEventSchema), 204: noBody('Nothing comes after that event') }),
        scope: 'chat',
        detail: { summary: 'Follow a turn from its start, or after Last-Event-ID' },
      },
    )
    .post(
      '/:turn_id/cancel',
      async ({ principal, params: { turn_id }, status }) => {
        await cancelTurn(context, await getTurnOrThrow(context, principal, turn_id))
        const turn = await viewTurn(context, await getTurnOrThrow(context, principal, turn_id))
        return isFinalStatus(turn.status) ? turn : status(202, turn)
      },
      {
        params,
        ...replies({ 200: TurnSchema, 202: TurnSchema }, 'conflict'),
        scope: 'chat',
        detail: { summary: 'Stop a turn, queued or running' },
      },
    )
    .post(
      '/:turn_id/approvals/:approval_id',
      async ({ principal, params: { turn_id, approval_id }, body }) => {
        const turn = await getTurnOrThrow(context, principal, turn_id)
        return viewApproval((await decide(context, principal, turn, approval_id, body)).approval)
      },
      {
        params: Type.Object({ turn_id: TurnIdSchema, approval_id: ApprovalIdSchema }),
        body: DecisionSchema,
        ...replies({ 200: ApprovalSchema }, 'conflict'),
        scope: 'chat',
        detail: { summary: 'Decide on what a turn waits for; the first decision is the one that counts' },
      },
    )
    .get(
      '/:turn_id/log',
      async ({ principal, params: { turn_id } }) => viewLog(context, await getTurnOrThrow(context, principal, turn_id)),
      {
        params,
        ...replies({ 200: TurnLogSchema }),
        scope: ['read', 'chat'],
        detail: { summary: 'The execution log of a turn' },
      },
    )
    .get(
      '/:turn_id/log/stream',
      async ({ principal, params: { turn_id }, request }) => {
        const turn = await getTurnOrThrow(context, principal, turn_id)
        return framesResponse(context, principal, request, (signal) =>
          logFrames(followLog(context, turn.id, signal), signal),
        )
      },
      {
        params,
        ...replies({ 200: streamOf(LogEventSchema) }),
        scope: ['read', 'chat'],
        detail: { summary: 'Follow the execution log of a turn: `entry` for each entry and each change, then `end`' },
      },
    )
}

async function* logFrames(log: AsyncGenerator<object[]>, signal: AbortSignal): AsyncGenerator<string> {
  for await (const entries of log)
    yield entries.map((entry) => `event: entry\ndata: ${JSON.stringify(entry)}\n\n`).join('')
  // A stream that the server gives up has no end: its client opens it again.
  if (!signal.aborted) yield 'event: end\ndata: {}\n\n'
}
