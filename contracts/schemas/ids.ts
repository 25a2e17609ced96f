// Ids in requests and replies.
import { Type } from '@sinclair/typebox'
import type { IdPrefix } from '../ids.ts'

/** Longer than any id of muxi; limited because error messages repeat it. */
const MAX_LENGTH = 64

export function idSchema(prefix: IdPrefix | 'mem') {
  return Type.String({
    pattern: `^${prefix}_[A-Za-z0-9]{1,${MAX_LENGTH}}$`,
    description: `an id that begins with '${prefix}_'`,
    examples: [`${prefix}_0199c0ffee7a7d3c8f21b7a0e4d95c16`],
  })
}
