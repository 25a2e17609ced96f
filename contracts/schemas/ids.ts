// Ids in requests.
import { Type } from '@sinclair/typebox'
import type { IdPrefix } from '../ids.ts'

/** Longer than any id of muxi; limited because error messages repeat it. */
const MAX_LENGTH = 64

export function idSchema(prefix: IdPrefix) {
  return Type.String({
    pattern: `^${prefix}_[A-Za-z0-9]{1,${MAX_LENGTH}}$`,
    description: `an id that begins with '${prefix}_'`,
  })
}
