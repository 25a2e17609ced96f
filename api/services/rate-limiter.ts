// Limits of requests by key, user and address. Writes are counted exactly over all processes; reads take leases, so that most of
// them need no statement.
import { isIP } from 'node:net'
import { MuxiError } from '../../contracts/failures.ts'
import type { RateClass, RateLimit, RateLimits } from '../../contracts/rate-limits.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { takeRequests, type Taken } from '../../db/queries/rate-limits.ts'
import type { Db } from '../../db/schema.ts'

/** Most reads that are taken at once. What a process does not use within the time of a lease is lost. */
const MOST_LEASED = 20
/** The part of a bucket that a process may lose. */
const LEASED_PART = 1 / 50
const LEASE_MS = 10_000
/** Leases kept by a process. */
const MOST_LEASES = 10_000

interface Lease {
  left: number
  /** What was left beside the lease when it was taken. */
  beside: number
  until: number
  full_at: number
}

export interface Admitted {
  /** Of draft-ietf-httpapi-ratelimit-headers-11; undefined when the class is not limited. */
  headers?: Record<'ratelimit-policy' | 'ratelimit', string>
  /** Set when the request is one too many. */
  refusal?: MuxiError
}

export interface RateLimiterOptions {
  db: Db
  limits: RateLimits
  /** Names a user without its id. */
  pseudonym: (userId: string) => string
}

export class RateLimiter {
  readonly #options: RateLimiterOptions
  readonly #leases = new Map<string, Lease>()
  readonly #renewing = new Map<string, Promise<boolean>>()

  constructor(options: RateLimiterOptions) {
    this.#options = options
  }

  /** Counts a request of a key, and of the user that it is bound to. */
  async admit({ key_id, bound_user, rate_limits }: Principal, kind: RateClass): Promise<Admitted> {
    const { limits, pseudonym } = this.#options
    const limit = limits[kind]
    const own = rate_limits?.[kind] ?? limit
    if (!own) return {}
    const key = await this.#take(`key/${key_id}/${kind}`, own, kind)
    if (!key.allowed || bound_user === undefined || !limit) return admitted(own, kind, key, 'key')
    const user = await this.#take(`user/${pseudonym(bound_user)}/${kind}`, limit, kind)
    if (!user.allowed || user.remaining < key.remaining) return admitted(limit, kind, user, 'user')
    return admitted(own, kind, key, 'key')
  }

  /** The same where the answer has no headers. @throws MuxiError rate_limited */
  async admitOrThrow(principal: Principal, kind: RateClass): Promise<void> {
    const { refusal } = await this.admit(principal, kind)
    if (refusal) throw refusal
  }

  /** The outcome of an authentication; a wrong key counts. @throws MuxiError also rate_limited, when there were too many */
  async authenticated<T>(authenticating: Promise<T>, address: string | undefined): Promise<T> {
    try {
      return await authenticating
    } catch (error) {
      if (error instanceof MuxiError && error.code === 'unauthorized') await this.#countWrongKey(address)
      throw error
    }
  }

  async #countWrongKey(address: string | undefined): Promise<void> {
    const limit = this.#options.limits.wrong_key
    if (!limit) return
    const taken = await takeRequests(this.#options.db, `address/${networkOf(address)}/wrong_key`, limit, 1)
    if (!taken.allowed) throw refusalOf(limit, 'wrong_key', taken, 'address')
  }

  async #take(name: string, limit: RateLimit, kind: RateClass): Promise<Taken> {
    if (kind !== 'read' || leaseOf(limit) < 2) return takeRequests(this.#options.db, name, limit, 1)
    const now = Date.now()
    const lease = this.#leases.get(name)
    if (!lease || lease.left === 0 || lease.until < now) return this.#renew(name, limit)
    lease.left -= 1
    return { allowed: true, remaining: lease.beside + lease.left, wait_ms: Math.max(0, lease.full_at - now) }
  }

  /** Requests that find no lease wait for one: each of its own would take the whole bucket. */
  async #renew(name: string, limit: RateLimit): Promise<Taken> {
    const { db } = this.#options
    const renewing = this.#renewing.get(name) ?? this.#lease(name, limit).finally(() => this.#renewing.delete(name))
    this.#renewing.set(name, renewing)
    // Near the limit, one by one.
    return (await renewing) ? this.#take(name, limit, 'read') : takeRequests(db, name, limit, 1)
  }

  /** @returns whether there is one */
  async #lease(name: string, limit: RateLimit): Promise<boolean> {
    const taken = await takeRequests(this.#options.db, name, limit, leaseOf(limit))
    if (!taken.allowed) return false
    const now = Date.now()
    this.#leases.delete(name)
    this.#leases.set(name, {
      left: leaseOf(limit),
      beside: taken.remaining,
      until: now + LEASE_MS,
      full_at: now + taken.wait_ms,
    })
    const [oldest] = this.#leases.keys()
    if (this.#leases.size > MOST_LEASES) this.#leases.delete(oldest!)
    return true
  }
}

/** The reads that are taken at once: of a small bucket few, so that several processes do not divide it among themselves. */
function leaseOf({ requests }: RateLimit): number {
  return Math.min(MOST_LEASED, Math.floor(requests * LEASED_PART))
}

function admitted(limit: RateLimit, kind: RateClass, taken: Taken, whose: string): Admitted {
  const { requests, seconds } = limit
  const headers = {
    'ratelimit-policy': `"${kind}";q=${requests};w=${seconds}`,
    ratelimit: `"${kind}";r=${taken.remaining};t=${Math.ceil(taken.wait_ms / 1_000)}`,
  }
  return { headers, ...(!taken.allowed && { refusal: refusalOf(limit, kind, taken, whose) }) }
}

function refusalOf({ requests, seconds }: RateLimit, kind: string, { wait_ms }: Taken, whose: string): MuxiError {
  return new MuxiError(
    'rate_limited',
    `Cannot take more requests of the class '${kind}': this ${whose} may make ${requests} in ${seconds} s`,
    { retryAfter: Math.max(1, Math.ceil(wait_ms / 1_000)), details: { class: kind } },
  )
}

/** The address; of IPv6 the network of 64 bits, all of which one client usually has. */
function networkOf(address: string | undefined): string {
  if (address === undefined || isIP(address) !== 6 || address.startsWith('::ffff:')) return address ?? 'unknown'
  const [before = '', after] = address.split('::')
  const given = before === '' ? [] : before.split(':')
  const rest = after === undefined ? [] : after.split(':')
  const zeros =
    after === undefined ? [] : Array.from({ length: Math.max(0, 8 - given.length - rest.length) }, () => '0')
  return `${[...given, ...zeros, ...rest].slice(0, 4).join(':')}::/64`
}

const CHAT = /\/chat(\/(stream|completions|ui))?$/

/** The class of a request by its method and path. */
export function rateClassOf(method: string, path: string): RateClass {
  if (method === 'GET' || method === 'HEAD') return 'read'
  return CHAT.test(path) ? 'chat' : 'write'
}
