// API keys, tickets, and the audit.
import { Type } from '@sinclair/typebox'
import { SCOPES } from '../scopes.ts'
import { BudgetSchema, BudgetViewSchema } from './budgets.ts'
import { UserIdSchema } from './chat.ts'
import { CountSchema, GivenTimeSchema, oneOf, orNull, textOf, TimeSchema } from './fields.ts'
import { idSchema } from './ids.ts'
import { KeyRateLimitsSchema } from './rate-limits.ts'

const closed = { additionalProperties: false }
export const KeyIdSchema = idSchema('key')

export const NewKeySchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 100 }),
    scopes: Type.Array(oneOf(SCOPES), { minItems: 1, maxItems: SCOPES.length, uniqueItems: true }),
    user_id: Type.Optional(UserIdSchema),
    networks: Type.Optional(
      Type.Array(Type.String(), { minItems: 1, maxItems: 32, description: 'IPv4 or IPv6 CIDR blocks' }),
    ),
    expires_at: Type.Optional(GivenTimeSchema),
    budget: Type.Optional(BudgetSchema),
    rate_limits: Type.Optional(KeyRateLimitsSchema),
  },
  { ...closed, examples: [{ name: 'web shop', scopes: ['chat'], user_id: 'anna', networks: ['10.0.0.0/8'] }] },
)

export const RotationSchema = Type.Object(
  { grace_seconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 30 * 86_400 })) },
  { ...closed, examples: [{ grace_seconds: 3_600 }] },
)

const keyFields = {
  id: KeyIdSchema,
  name: textOf('web shop'),
  scopes: Type.Array(oneOf(SCOPES)),
  user_id: orNull(textOf('anna', 'The user that it is bound to')),
  networks: orNull(Type.Array(textOf('10.0.0.0/8'))),
  created_at: TimeSchema,
  expires_at: orNull(TimeSchema),
  rate_limits: orNull(KeyRateLimitsSchema),
  last_used_at: orNull(TimeSchema),
}

export const KeySchema = Type.Object({ ...keyFields, budget: BudgetViewSchema }, { ...closed, $id: 'Key' })

const key = textOf('sk_muxi_x2Yh8s…', 'The secret: this answer is the only copy of it')

export const CreatedKeySchema = Type.Object({ ...keyFields, key, budget: BudgetViewSchema }, closed)

export const RotatedKeySchema = Type.Object({ ...keyFields, key }, closed)

export const OwnKeySchema = Type.Object(
  {
    id: textOf('key_0199c0ffee7a7d3c8f21b7a0e4d95c16'),
    scopes: Type.Array(oneOf(SCOPES)),
    user_id: orNull(textOf('anna')),
    rate_limits: orNull(KeyRateLimitsSchema),
    budget: BudgetViewSchema,
  },
  closed,
)

export const DeletedKeySchema = Type.Object({ id: KeyIdSchema, status: Type.Literal('deleted') }, closed)

export const TicketSchema = Type.Object({ ticket: textOf('pX3v…'), expires_at: TimeSchema }, closed)

export const AuditEntrySchema = Type.Object(
  {
    id: textOf('aud_0199c0ffee7a7d3c8f21b7a0e4d95c16'),
    at: TimeSchema,
    key_id: orNull(textOf('key_0199c0ffee7a7d3c8f21b7a0e4d95c16')),
    user_hash: orNull(textOf('u_5f1c9e', 'The pseudonym of the user')),
    address: orNull(textOf('192.0.2.7')),
    action: textOf('DELETE'),
    path: textOf('/api/v1/agents/helper'),
    status: CountSchema,
    request_id: orNull(textOf('req_0199c0ffee7a7d3c8f21b7a0e4d95c16')),
    count: CountSchema,
  },
  { ...closed, $id: 'AuditEntry' },
)
