// Failures shared by all processes: the error codes of the wire contract and the error class that carries them.
import { shorten } from './shorten.ts'

/** HTTP status of each error code of the wire contract. */
export const STATUS_OF_CODE = {
  bad_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  precondition_failed: 412,
  payload_too_large: 413,
  unsupported_media_type: 415,
  range_not_satisfiable: 416,
  unprocessable: 422,
  rate_limited: 429,
  budget_exceeded: 429,
  internal_error: 500,
  upstream_error: 502,
  unavailable: 503,
} as const

export type ErrorCode = keyof typeof STATUS_OF_CODE

/** The inner object of every error on the wire: HTTP body, SSE `error` event and WebSocket `error` frame. */
export interface ErrorBody {
  code: ErrorCode
  message: string
  details?: Record<string, unknown>
}

export interface MuxiErrorOptions {
  details?: Record<string, unknown>
  /** Seconds after which a retry may succeed; becomes `Retry-After`. */
  retryAfter?: number
  cause?: unknown
}

/** An expected failure, whose message may be shown to the client. Anything else is an `internal_error` without its message. */
export class MuxiError extends Error {
  override readonly name = 'MuxiError'
  readonly code: ErrorCode
  readonly details: Record<string, unknown> | undefined
  readonly retryAfter: number | undefined

  constructor(code: ErrorCode, message: string, options: MuxiErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = options.details
    this.retryAfter = options.retryAfter
  }

  get status(): number {
    return STATUS_OF_CODE[this.code]
  }

  toBody(): ErrorBody {
    return { code: this.code, message: this.message, ...(this.details && { details: this.details }) }
  }
}

export function notFound(what: string, id: string): MuxiError {
  return new MuxiError('not_found', `Cannot find ${what} '${id}'`)
}

/**
 * A `bad_request` about one field.
 * @param doing the failed action, such as `read the message`
 * @param got what was sent, when it may be repeated
 */
export function wrongField(doing: string, path: string, expected: string, got?: string): MuxiError {
  const shown = shorten(path)
  const found = got === undefined ? '' : `, got '${shorten(got)}'`
  return new MuxiError('bad_request', `Cannot ${doing}: '${shown}' must be ${expected}${found}`, {
    details: { fields: [{ path: shown, expected }] },
  })
}

/** A failure that is safe in history: muxi's own text, never that of a provider or a user. */
export interface TurnFailure {
  code: 'upstream_error' | 'internal_error' | 'unavailable' | 'budget_exceeded' | 'unprocessable'
  message: string
  details?: Record<string, string | number>
}

/** Of a turn that has not run and will not: its client got an error in place of its id. */
export const NEVER_ACCEPTED: TurnFailure = {
  code: 'unavailable',
  message: 'The message was never accepted: please send it again',
}
