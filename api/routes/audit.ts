// The audit: who changed what, from where, with which key, and what was refused.
import { Elysia } from 'elysia'
import { Type } from '@sinclair/typebox'
import { GivenTimeSchema } from '../../contracts/schemas/fields.ts'
import { AuditEntrySchema, KeyIdSchema } from '../../contracts/schemas/keys.ts'
import { DEFAULT_LIMIT, idPageFields, pageOf } from '../../contracts/schemas/lists.ts'
import { storedTime } from '../../contracts/times.ts'
import { listAudit } from '../../db/queries/audit.ts'
import { authenticated, page } from '../plugin.ts'
import { replies } from '../replies.ts'
import type { ApiContext } from '../services/context.ts'

export function auditRoutes(context: ApiContext) {
  return new Elysia({ tags: ['system'] }).use(authenticated(context)).get(
    '/audit',
    async ({ query: { limit = DEFAULT_LIMIT, refused, since, ...filter } }) => {
      const rows = await listAudit(context.storage.db, {
        ...filter,
        refused: refused === 'true',
        since: since && storedTime('read the audit', 'since', since),
        limit: limit + 1,
      })
      const { items, ...rest } = page(rows, limit, ({ id }) => id)
      return { entries: items, ...rest }
    },
    {
      query: Type.Object(
        {
          ...idPageFields('aud'),
          key_id: Type.Optional(KeyIdSchema),
          refused: Type.Optional(Type.Literal('true')),
          since: Type.Optional(GivenTimeSchema),
        },
        { additionalProperties: false },
      ),
      ...replies({ 200: pageOf('entries', AuditEntrySchema) }),
      scope: 'admin',
      detail: { summary: 'Who changed what, from where, with which key; and what was refused' },
    },
  )
}
