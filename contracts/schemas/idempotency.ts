// The header with which a request that makes something may be sent twice.
import { Type } from '@sinclair/typebox'

/** Headers of a route under which the same key and body give the same thing. @param what that thing, such as `turn` */
export function idempotencyHeaders(what: string) {
  return Type.Object({
    'idempotency-key': Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 255,
        description: `The same key and body give the same ${what} for 24 hours`,
      }),
    ),
  })
}
