// What authenticates and what is secret: API keys, tickets, Idempotency-Keys, encrypted credentials.

export interface ApiKeysTable {
  id: string
  name: string
  hash: string
  /** JSON array. */
  scopes: string
  user_id: string | null
  /** The key whose previous secret this is, valid for the grace period of a rotation. */
  alias_of: string | null
  /** JSON array of CIDR blocks, or null for everywhere. */
  networks: string | null
  /** JSON object by class: in place of the operator's limits. */
  rate_limits: string | null
  created_at: string
  expires_at: string | null
  /** Within a minute. */
  last_used_at: string | null
}

/** Single-use tickets that authenticate one WebSocket or one Temporal UI session in place of a key. */
export interface TicketsTable {
  hash: string
  /** Hash of the secret that created the ticket, which expires with it. */
  key_hash: string
  expires_at: string
}

export interface IdempotencyKeysTable {
  key_id: string
  route: string
  idempotency_key: string
  body_hash: string
  /** The id of the turn, file or job that the request created. */
  result_id: string
  created_at: string
}

/** Encrypted values; `name` is the path of the credential, e.g. `agent/<id>/<version>/model.api_key`. */
export interface SecretsTable {
  name: string
  ciphertext: string
  created_at: string
}

/** A bucket of requests; one without a row is full. */
export interface RateLimitsTable {
  /** `key/<id>/<class>`, `user/<pseudonym>/<class>` or `address/<ip>/wrong_key`. */
  name: string
  /** When it is full again, in milliseconds since 1970. */
  full_at: number
}
