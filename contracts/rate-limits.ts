// How many requests of a kind are taken in a time.

/** `chat`: messages. `write`: everything else that is not a GET. `read`: GETs. */
export type RateClass = 'chat' | 'write' | 'read'

export interface RateLimit {
  /** At once, and in each further period. */
  requests: number
  /** The period, in seconds. */
  seconds: number
}

/** By class, of each key, and of each user that a key is bound to. Undefined: not limited. */
export type RateLimits = Record<RateClass | 'wrong_key', RateLimit | undefined>

/** Limits that a key has of its own, in place of the operator's. */
export type KeyRateLimits = Partial<Record<RateClass, RateLimit>>
