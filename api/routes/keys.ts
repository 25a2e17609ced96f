// API keys: list, create, rotate, delete; and single-use tickets.
import { Elysia } from 'elysia'
import { Type } from '@sinclair/typebox'
import { wrongField } from '../../contracts/failures.ts'
import { toLimits } from '../../contracts/schemas/budgets.ts'
import {
  CreatedKeySchema,
  DeletedKeySchema,
  KeyIdSchema,
  KeySchema,
  NewKeySchema,
  OwnKeySchema,
  RotatedKeySchema,
  RotationSchema,
  TicketSchema,
} from '../../contracts/schemas/keys.ts'
import { DEFAULT_LIMIT, pageFields, pageOf } from '../../contracts/schemas/lists.ts'
import { storedTime } from '../../contracts/times.ts'
import { createKey, createTicket, deleteKey, listKeys, rotateKey } from '../../db/queries/keys.ts'
import { authenticated, page } from '../plugin.ts'
import { isNetwork } from '../../contracts/networks.ts'
import { replies } from '../replies.ts'
import { viewBudget, withBudgets } from '../services/budgets.ts'
import type { ApiContext } from '../services/context.ts'

export function keyRoutes(context: ApiContext) {
  const { db } = context.storage
  const params = Type.Object({
    key_id: KeyIdSchema,
  })
  return new Elysia({ tags: ['keys'] })
    .use(authenticated(context))
    .get(
      '/keys',
      async ({ query: { limit = DEFAULT_LIMIT, cursor } }) => {
        const { items, ...rest } = page(await listKeys(db, limit + 1, cursor), limit, ({ id }) => id)
        return { keys: await withBudgets(db, items), ...rest }
      },
      {
        // The key of the setting has a name for an id.
        query: Type.Object(pageFields(KeyIdSchema), { additionalProperties: false }),
        ...replies({ 200: pageOf('keys', KeySchema) }),
        scope: 'admin',
        detail: { summary: 'List keys; their secrets are not kept' },
      },
    )
    .get(
      '/key',
      async ({ principal }) => ({
        id: principal.key_id,
        scopes: [...principal.scopes],
        user_id: principal.bound_user ?? null,
        rate_limits: principal.rate_limits ?? null,
        budget: await viewBudget(db, { kind: 'key', id: principal.key_id }),
      }),
      {
        ...replies({ 200: OwnKeySchema }),
        scope: 'chat',
        detail: { summary: 'Read what the key of this request may do, and its daily budget' },
      },
    )
    .post(
      '/keys',
      async ({ body, status }) => {
        for (const [index, network] of (body.networks ?? []).entries())
          if (!isNetwork(network)) throw wrongField('create the key', `networks.${index}`, 'a CIDR block', network)
        const expires_at = body.expires_at === undefined ? undefined : readExpiry(body.expires_at)
        const budget = body.budget && toLimits(body.budget)
        const { key, secret } = await createKey(db, { ...body, expires_at, budget })
        const of = { kind: 'key' as const, id: key.id }
        return status(201, { ...key, key: secret, budget: await viewBudget(db, of) })
      },
      {
        body: NewKeySchema,
        ...replies({ 201: CreatedKeySchema }),
        scope: 'admin',
        detail: { summary: 'Make a key; this answer is the only copy of it' },
      },
    )
    .post(
      '/keys/:key_id/rotate',
      async ({ params: { key_id }, body }) => {
        const { key, secret } = await rotateKey(db, key_id, body?.grace_seconds ?? 0)
        context.keys.forget()
        await context.openStreams.check()
        return { ...key, key: secret }
      },
      {
        params,
        body: Type.Optional(RotationSchema),
        ...replies({ 200: RotatedKeySchema }),
        scope: 'admin',
        detail: { summary: 'Give a key a new secret; the old one stays valid for the grace period' },
      },
    )
    .delete(
      '/keys/:key_id',
      async ({ params: { key_id } }) => {
        await deleteKey(db, key_id)
        context.keys.forget()
        await context.openStreams.check()
        return { id: key_id, status: 'deleted' as const }
      },
      {
        params,
        ...replies({ 200: DeletedKeySchema }),
        scope: 'admin',
        detail: { summary: 'Delete a key, and end what was opened with it' },
      },
    )
    .post(
      '/ws/tickets',
      async ({ principal, status }) => {
        return status(201, await createTicket(db, principal.key_hash))
      },
      {
        ...replies({ 201: TicketSchema }),
        scope: 'chat',
        detail: { summary: 'A single-use ticket for the WebSocket or the Temporal UI, for a minute' },
      },
    )
}

/** @throws MuxiError bad_request unless the time is in the future */
function readExpiry(text: string): string {
  const at = storedTime('create the key', 'expires_at', text)
  if (Date.parse(at) > Date.now()) return at
  throw wrongField('create the key', 'expires_at', 'a time to come', text)
}
