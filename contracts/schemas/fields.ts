// Fields that several schemas have: addresses, names, secrets.
import { Type, type TSchema } from '@sinclair/typebox'
import { exampleOf } from './examples.ts'

export const HttpUrlSchema = Type.String({
  pattern: '^https?://([A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\])(:\\d{1,5})?([/?#][^\\s\\u0000-\\u001f\\u007f]*)?$',
  maxLength: 2048,
  description: 'an http:// or https:// address without a user name or password in it',
  examples: ['https://weather.example.org/mcp'],
})

/** A name that may be part of a path such as `mcp_servers.0.credentials.TOKEN`, so without dots. */
export const NameSchema = Type.String({
  pattern: '^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$',
  description: "1 to 128 letters, digits, '_' or '-'",
  examples: ['weather'],
})

export const SecretSchema = Type.String({ minLength: 1, maxLength: 8192 })

/** ISO-8601 in UTC, as all times of replies. */
export const TimeSchema = Type.String({ format: 'date-time', examples: ['2026-11-29T09:41:07.112Z'] })

/** ISO-8601 with a time zone, in requests; `storedTime` refuses days that do not exist. */
export const GivenTimeSchema = Type.String({
  pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,9})?(Z|[+-]\\d\\d:\\d\\d)$',
  description: 'an ISO-8601 time such as 2026-11-29T09:41:07Z',
  examples: ['2026-11-29T09:41:07Z'],
})

export const CountSchema = Type.Integer({ minimum: 0 })

/** Text that only people read. */
export function textOf(example: string, description?: string) {
  return Type.String({ ...(description !== undefined && { description }), examples: [example] })
}

/** One of several words. */
export function oneOf<const T extends string>(words: readonly T[], description?: string) {
  return Type.Unsafe<T>(
    Type.Union(
      words.map((word) => Type.Literal(word)),
      description === undefined ? {} : { description },
    ),
  )
}

/** Its example is null when the schema has none. */
export function orNull<T extends TSchema>(schema: T) {
  return Type.Union([schema, Type.Null()], exampleOf(schema) === undefined ? { examples: [null] } : {})
}
