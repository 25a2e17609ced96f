// Why a model call failed, in three words, decided once for every vendor.

import type { TokenUsage } from '../contracts/model-messages.ts'

/** `final`: asking again is useless. `retry`: worth asking again, perhaps after a delay. `unknown`: retried as well. */
export type FailureKind = 'final' | 'retry' | 'unknown'

/** A vendor's Retry-After beyond this is cut to it, in milliseconds: the next model of the chain may be free sooner. */
export const MAX_RETRY_AFTER_MS = 60_000

/** Longest request id of a vendor, in characters: callers are shown it. */
const MAX_REQUEST_ID = 128

export interface ProviderFailureOptions {
  provider: string
  status?: number | undefined
  request_id?: string | undefined
  /** In milliseconds, from `Retry-After`. */
  retryAfter?: number | undefined
  /** Names of offered tools that the vendor does not take. */
  refused_tools?: readonly string[]
  /** What the model did, for clients: completes "The model 'x' of y …". Left out where its status says it. */
  how?: string
  /** Whether the next model of the chain is asked at once. */
  goes_on?: boolean
  /** Whether no request was sent besides those counted in `spent`. */
  is_unsent?: boolean
  /** Usage of the requests of the call that were answered. */
  spent?: Partial<TokenUsage>
  cause?: unknown
}

/** A failed model call. The message may hold the vendor's words: it is kept in rows and never put into history. */
export class ProviderFailure extends Error {
  override readonly name = 'ProviderFailure'
  readonly kind: FailureKind
  readonly provider: string
  readonly status: number | undefined
  readonly requestId: string | undefined
  readonly retryAfter: number | undefined
  readonly refusedTools: readonly string[]
  readonly spent: Partial<TokenUsage> | undefined
  readonly how: string | undefined
  readonly goesOn: boolean
  readonly isUnsent: boolean

  constructor(kind: FailureKind, message: string, options: ProviderFailureOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.kind = kind
    this.provider = options.provider
    this.status = options.status
    this.requestId = options.request_id?.slice(0, MAX_REQUEST_ID)
    this.refusedTools = options.refused_tools ?? []
    this.spent = options.spent
    this.how = options.how
    this.goesOn = options.goes_on ?? false
    this.isUnsent = options.is_unsent ?? false
    this.retryAfter = options.retryAfter === undefined ? undefined : Math.min(options.retryAfter, MAX_RETRY_AFTER_MS)
  }

  /** The same failure of a call that had sent other requests before. */
  withSpent(spent: Partial<TokenUsage>): ProviderFailure {
    const { status, requestId: request_id, retryAfter, refusedTools: refused_tools, how, goesOn: goes_on } = this
    const { provider, cause, isUnsent: is_unsent } = this
    const options = {
      provider,
      status,
      request_id,
      retryAfter,
      refused_tools,
      goes_on,
      is_unsent,
      spent,
      cause,
      ...(how && { how }),
    }
    return new ProviderFailure(this.kind, this.message, options)
  }
}

/** An error that a server reports in an answer of status 200. */
export class ReportedError extends Error {
  override readonly name = 'ReportedError'
  /** As the server reported it. */
  readonly error: unknown
  readonly headers: Headers | undefined

  constructor(error: unknown, headers?: Headers) {
    const { message } = (typeof error === 'object' && error !== null ? error : {}) as { message?: unknown }
    super(typeof message === 'string' ? message : JSON.stringify(error))
    this.error = error
    this.headers = headers
  }
}

/** 408, 409, 429 and 5xx pass; every other refusal is final (bad key, unknown model, policy, context too long). */
export function kindOfStatus(status: number): FailureKind {
  return status === 408 || status === 409 || status === 429 || status >= 500 ? 'retry' : 'final'
}

/** `Retry-After` in milliseconds: a number of seconds or a date. */
export function parseRetryAfter(value: string | null | undefined, now = Date.now()): number | undefined {
  if (!value) return undefined
  const seconds = Number(value)
  const delay = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(value) - now
  return Number.isFinite(delay) && delay >= 0 ? delay : undefined
}

/** Longest part of a vendor's answer that is kept of a failure, in characters. */
const MAX_DETAIL = 300

/** The beginning of the text, without a credential that a vendor may have repeated in it. */
export function redact(text: string, secret: string | undefined): string {
  return (secret ? text.replaceAll(secret, '[redacted]') : text).slice(0, MAX_DETAIL)
}

/** What failed, without the words of a vendor or a library: these may quote the request. */
export function briefOf(error: unknown): string {
  if (!(error instanceof ProviderFailure)) return error instanceof Error ? error.name : 'unknown'
  const { provider, status } = error
  return `${provider} ${status === undefined ? 'could not be reached' : `answered ${status}`}`
}
