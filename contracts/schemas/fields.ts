// Fields that several schemas have: addresses, names, secrets.
import { Type } from '@sinclair/typebox'

export const HttpUrlSchema = Type.String({
  pattern: '^https?://([A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\])(:\\d{1,5})?([/?#][^\\s\\u0000-\\u001f\\u007f]*)?$',
  maxLength: 2048,
  description: 'an http:// or https:// address without a user name or password in it',
})

/** A name that may be part of a path such as `mcp_servers.0.credentials.TOKEN`, so without dots. */
export const NameSchema = Type.String({
  pattern: '^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$',
  description: "1 to 128 letters, digits, '_' or '-'",
})

export const SecretSchema = Type.String({ minLength: 1, maxLength: 8192 })
