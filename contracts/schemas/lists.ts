// Query parameters and replies of every list.
import { Type, type TSchema, type TString } from '@sinclair/typebox'
import type { IdPrefix } from '../ids.ts'

export const LimitSchema = Type.Integer({ minimum: 1, maximum: 100, default: 20 })

/** `limit` and `cursor`, in addition to a list's own filters. Query values arrive as text. @param cursor what an item is found by */
export function pageFields(cursor: TString) {
  const description = '`next_cursor` of the page before'
  return { limit: Type.Optional(LimitSchema), cursor: Type.Optional(Type.String({ ...cursor, description })) }
}

/** `pageFields` of a list whose items are found by ids that muxi gave them. */
export function idPageFields(prefix: IdPrefix | 'mem') {
  const examples = [`${prefix}_0199c0ffee7a7d3c8f21b7a0e4d95c16`]
  return pageFields(Type.String({ pattern: `^${prefix}_[0-9a-f]{32}$`, examples }))
}

/** Which part of a list is read: after the `cursor`, or from its beginning. */
export interface PageAfter {
  limit: number
  cursor?: string | undefined
}

/** Of the next page; null on the last one. */
export const NextCursorSchema = Type.Union([Type.Null(), Type.String()], {
  description: 'The `cursor` of the next page; null: there is none',
  examples: [null],
})

export const DEFAULT_LIMIT = 20

/** One page of a list, as `page()` makes it. @param name the key of the array */
export function pageOf<const N extends string, T extends TSchema>(name: N, item: T) {
  return Type.Object(
    { [name]: Type.Array(item), has_more: Type.Boolean(), next_cursor: NextCursorSchema } as {
      [key in N]: ReturnType<typeof Type.Array<T>>
    } & { has_more: ReturnType<typeof Type.Boolean>; next_cursor: typeof NextCursorSchema },
    { additionalProperties: false },
  )
}
