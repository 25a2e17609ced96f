// Query parameters of every list.
import { Type } from '@sinclair/typebox'

/** `limit` and `cursor`, in addition to a list's own filters. Query values arrive as text. */
export const pageFields = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 })),
  cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: '`next_cursor` of the page before' })),
}

export const DEFAULT_LIMIT = 20
