// Errors of the client: one class for each code of the contract, and those of the connection.
import type { ErrorCode, STATUS_OF_CODE } from '../contracts/failures.ts'

export type { ErrorCode }

export interface ErrorInit {
  /** HTTP status; 0 when there was no answer. */
  status?: number | undefined
  details?: Record<string, unknown> | undefined
  requestId?: string | undefined
  retryAfterMs?: number | undefined
  cause?: unknown
}

/** Any failure of the server or of the connection to it. */
export class MuxiError extends Error {
  readonly code: ErrorCode | 'connection_lost' | 'timeout'
  /** HTTP status; 0 when there was no answer. */
  readonly status: number
  readonly details: Record<string, unknown> | undefined
  /** For questions to the operator; it stands in the server's log. */
  readonly requestId: string | undefined
  readonly retryAfterMs: number | undefined

  constructor(code: MuxiError['code'], message: string, { cause, ...init }: ErrorInit = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.status = init.status ?? 0
    this.details = init.details
    this.requestId = init.requestId ?? (init.details?.['request_id'] as string | undefined)
    this.retryAfterMs = init.retryAfterMs
    // `rate_limited` becomes RateLimitedError: bundlers shorten the names of classes.
    const name = code.replace(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase())
    Object.defineProperty(this, 'name', { value: name.replace(/(Error)?$/, 'Error') })
  }

  toJSON(): object {
    const { name, code, message, status, details, requestId, retryAfterMs } = this
    return { name, code, message, status, details, requestId, retryAfterMs }
  }
}

export class BadRequestError extends MuxiError {}
export class UnauthorizedError extends MuxiError {}
export class ForbiddenError extends MuxiError {}
export class NotFoundError extends MuxiError {}
export class MethodNotAllowedError extends MuxiError {}
export class ConflictError extends MuxiError {}
export class PreconditionFailedError extends MuxiError {}
export class PayloadTooLargeError extends MuxiError {}
export class UnsupportedMediaTypeError extends MuxiError {}
export class RangeNotSatisfiableError extends MuxiError {}
export class UnprocessableError extends MuxiError {}
export class RateLimitedError extends MuxiError {}
export class BudgetExceededError extends MuxiError {}
export class InternalError extends MuxiError {}
export class UpstreamError extends MuxiError {}
export class UnavailableError extends MuxiError {}

/** The numbers of the events have a gap: some were lost, in a proxy or by a fault of the server. */
export class EventGapError extends MuxiError {
  constructor(after: number, id: number) {
    super('internal_error', `Event ${id} came after event ${after}: those between them are missing`)
  }
}

/** The connection broke, or could not be made. A turn or job that was accepted goes on: it can be resumed. */
export class ConnectionLostError extends MuxiError {
  readonly turnId: string | undefined
  readonly jobId: string | undefined
  /** Of the last event that was read. */
  readonly lastEventId: number | undefined

  constructor(message: string, { turnId, jobId, lastEventId, ...init }: ErrorInit & Position = {}) {
    super('connection_lost', message, init)
    this.turnId = turnId
    this.jobId = jobId
    this.lastEventId = lastEventId
  }
}

/** Where a stream broke off. */
export interface Position {
  turnId?: string | undefined
  jobId?: string | undefined
  lastEventId?: number | undefined
}

/** No answer came within `timeoutMs`. */
export class TimeoutError extends MuxiError {
  constructor(message: string, init?: ErrorInit) {
    super('timeout', message, init)
  }
}

const KINDS: { [Code in ErrorCode]: [status: (typeof STATUS_OF_CODE)[Code], type: typeof MuxiError] } = {
  bad_request: [400, BadRequestError],
  unauthorized: [401, UnauthorizedError],
  forbidden: [403, ForbiddenError],
  not_found: [404, NotFoundError],
  method_not_allowed: [405, MethodNotAllowedError],
  conflict: [409, ConflictError],
  precondition_failed: [412, PreconditionFailedError],
  payload_too_large: [413, PayloadTooLargeError],
  unsupported_media_type: [415, UnsupportedMediaTypeError],
  range_not_satisfiable: [416, RangeNotSatisfiableError],
  unprocessable: [422, UnprocessableError],
  rate_limited: [429, RateLimitedError],
  budget_exceeded: [429, BudgetExceededError],
  internal_error: [500, InternalError],
  upstream_error: [502, UpstreamError],
  unavailable: [503, UnavailableError],
}

/** The error of a code, such as that of an `error` event or frame. */
export function errorOf(body: { code: ErrorCode; message: string; details?: object }, init: ErrorInit = {}): MuxiError {
  const [status, type] = KINDS[body.code] ?? [500, InternalError]
  return new type(body.code, body.message, { status, details: body.details as Record<string, unknown>, ...init })
}

/**
 * The error of an answer. What comes from a proxy, without a body of muxi's, gets the code of its status.
 * @param secret removed from the text
 */
export async function errorOfResponse(response: Response, secret = ''): Promise<MuxiError> {
  const { status, headers } = response
  const text = await response.text().catch(() => '')
  const init = {
    status,
    requestId: headers.get('x-request-id') ?? undefined,
    retryAfterMs: retryAfterOf(headers.get('retry-after')),
  }
  let message = `The server answered with status ${status}`
  try {
    const { error } = JSON.parse(secret === '' ? text : text.replaceAll(secret, 'sk_muxi_…'))
    if (error.code in KINDS) return errorOf(error, init)
    message = String(error.message)
  } catch {
    // Not JSON, or of another form.
  }
  const codes = Object.keys(KINDS) as ErrorCode[]
  const code =
    status > 500 ? 'unavailable' : (codes.find((each) => KINDS[each][0] === status) ?? codes[status < 500 ? 0 : 12])
  return errorOf({ code: code as ErrorCode, message }, init)
}

/** @param header seconds, or a date */
function retryAfterOf(header: string | null): number | undefined {
  if (header === null) return undefined
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}
