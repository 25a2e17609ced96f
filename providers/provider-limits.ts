// The rate limits of providers as their answers report them, by key and model: a token bucket of requests and one of tokens. A request
// that would be refused waits a moment, or fails as a 429 would without being sent. Each process counts for itself.
import { setTimeout as delay } from 'node:timers/promises'
import { textOf } from '../contracts/model-messages.ts'
import { estimateTokens } from '../contracts/tokens.ts'
import { MAX_RETRY_AFTER_MS, parseRetryAfter, ProviderFailure } from './failure.ts'
import type { GenerateRequest, Provider } from './provider.ts'

/** Longest wait before a request, in milliseconds: the next model of the chain may be free sooner. */
const MOST_WAIT_MS = 5_000
/** Keys and models that are kept. */
const MOST_LIMITS = 1_000

interface Bucket {
  limit: number
  remaining: number
  /** When it was full again, or will be, at the rate in the provider's headers. */
  full_at: number
  at: number
}

interface Limits {
  requests?: Bucket
  tokens?: Bucket
  /** Of a `Retry-After`. */
  blocked_until: number
}

export class ProviderLimits {
  readonly #limits = new Map<string, Limits>()
  readonly #now: () => number

  /** @param now only tests use another clock */
  constructor(now = () => Date.now()) {
    this.#now = now
  }

  /** The provider, before whose calls the limits are checked. @param key names the key and the server */
  guard(provider: Provider, key: string): Provider {
    return {
      name: provider.name,
      generate: async (request, onDelta, signal) => {
        await this.#admit(`${key}\n${request.model}`, provider.name, estimateOf(request), signal)
        return provider.generate(request, onDelta, signal)
      },
    }
  }

  /** What an answer reports of the limits of its key and model. */
  observe(key: string, model: string, status: number, headers: Headers): void {
    const now = this.#now()
    const requests = readBucket(headers, 'requests', now)
    const tokens = readBucket(headers, 'tokens', now) ?? readBucket(headers, 'input-tokens', now)
    const wait = status === 429 ? parseRetryAfter(headers.get('retry-after'), now) : undefined
    if (!requests && !tokens && wait === undefined) return
    const name = `${key}\n${model}`
    const known = this.#limits.get(name)
    const blocked_until = wait === undefined ? (known?.blocked_until ?? 0) : now + Math.min(wait, MAX_RETRY_AFTER_MS)
    this.#limits.delete(name)
    this.#limits.set(name, { ...known, ...(requests && { requests }), ...(tokens && { tokens }), blocked_until })
    const [oldest] = this.#limits.keys()
    if (this.#limits.size > MOST_LIMITS) this.#limits.delete(oldest!)
  }

  /** Takes a request out of the buckets, perhaps after a wait. @throws ProviderFailure, or the signal's reason */
  async #admit(name: string, provider: string, tokens: number, signal: AbortSignal): Promise<void> {
    const until = this.#now() + MOST_WAIT_MS
    for (;;) {
      const limits = this.#limits.get(name)
      if (!limits) return
      const now = this.#now()
      const wait = Math.max(
        limits.blocked_until - now,
        limits.requests ? waitFor(limits.requests, 1, now) : 0,
        limits.tokens ? waitFor(limits.tokens, tokens, now) : 0,
      )
      if (wait <= 0) {
        if (limits.requests) take(limits.requests, 1, now)
        if (limits.tokens) take(limits.tokens, tokens, now)
        return
      }
      if (now + wait > until)
        throw new ProviderFailure('retry', 'The model was not asked: the rate limit of its key is used up', {
          provider,
          status: 429,
          retryAfter: wait,
          how: 'was not asked: the rate limit of its key is used up',
          is_unsent: true,
        })
      await delay(Math.ceil(wait), undefined, { signal }).catch(() => signal.throwIfAborted())
    }
  }
}

function estimateOf({ system, messages }: GenerateRequest): number {
  return messages.reduce((sum, message) => sum + estimateTokens(textOf(message)), estimateTokens(system))
}

function fillOf({ limit, remaining, full_at, at }: Bucket, now: number): number {
  if (now >= full_at) return limit
  return remaining + ((limit - remaining) * (now - at)) / (full_at - at)
}

/** How long until there is room, in milliseconds; a request larger than the whole bucket needs a full one. */
function waitFor(bucket: Bucket, needed: number, now: number): number {
  const missing = Math.min(needed, bucket.limit) - fillOf(bucket, now)
  if (missing <= 0) return 0
  return (missing * (bucket.full_at - bucket.at)) / (bucket.limit - bucket.remaining)
}

function take(bucket: Bucket, needed: number, now: number): void {
  const remaining = fillOf(bucket, now)
  // The pace at which it fills stays.
  const pace = (bucket.full_at - bucket.at) / Math.max(1, bucket.limit - bucket.remaining)
  bucket.remaining = Math.max(0, remaining - needed)
  bucket.at = now
  bucket.full_at = now + (bucket.limit - bucket.remaining) * pace
}

/** Of OpenAI and servers that speak as it does, `x-ratelimit-limit-requests`; of Anthropic `anthropic-ratelimit-requests-limit`. */
function readBucket(headers: Headers, kind: string, now: number): Bucket | undefined {
  const read = (part: string) =>
    headers.get(`x-ratelimit-${part}-${kind}`) ?? headers.get(`anthropic-ratelimit-${kind}-${part}`)
  const [limit, remaining] = [toCount(read('limit')), toCount(read('remaining'))]
  const reset = toReset(read('reset'), now)
  if (limit === undefined || limit === 0 || remaining === undefined || reset === undefined) return undefined
  return { limit, remaining: Math.min(remaining, limit), full_at: now + Math.min(reset, MAX_RETRY_AFTER_MS), at: now }
}

function toCount(text: string | null): number | undefined {
  return text !== null && /^\d{1,12}$/.test(text.trim()) ? Number(text) : undefined
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** In milliseconds: `6m0s`, `20ms`, seconds, or a date. */
function toReset(text: string | null, now: number): number | undefined {
  if (text === null) return undefined
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)]
  if (parts.length > 0 && parts.map(([part]) => part).join('') === text.trim())
    return parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit!]!, 0)
  return parseRetryAfter(text, now)
}
