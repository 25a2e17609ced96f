// The header that makes a creating request idempotent.
import { Type } from '@sinclair/typebox'

/** Headers of a route on which the same key and body return the same resource. @param what the resource, such as `turn` */
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
