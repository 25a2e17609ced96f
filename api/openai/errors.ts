// Errors in OpenAI's form, on every path below /v1.
import type { ErrorBody, ErrorCode, MuxiError } from '../../contracts/failures.ts'
import { errorResponse } from '../errors.ts'

/** The inner object of an error. */
export interface OpenaiError {
  message: string
  type: string
  param: string | null
  code: string | null
  /** The turn that has failed, or goes on without the client. */
  turn_id?: string
}

const TYPES: Partial<Record<ErrorCode, { type: string; code?: string }>> = {
  unauthorized: { type: 'invalid_request_error', code: 'invalid_api_key' },
  forbidden: { type: 'invalid_request_error', code: 'insufficient_permissions' },
  rate_limited: { type: 'requests', code: 'rate_limit_exceeded' },
  budget_exceeded: { type: 'insufficient_quota', code: 'insufficient_quota' },
  internal_error: { type: 'server_error' },
  upstream_error: { type: 'server_error' },
  unavailable: { type: 'server_error' },
}

export function isOpenaiPath(path: string): boolean {
  return /^\/v1(\/|$)/.test(path)
}

/** @param turn_id of an error that came after the turn was accepted: the message names it */
export function toOpenaiError({ code, message, details = {} }: ErrorBody, turn_id?: string): OpenaiError {
  const { type, code: named = code } = TYPES[code] ?? { type: 'invalid_request_error' }
  const [field] = (details['fields'] ?? []) as { path: string }[]
  const { openai_code } = details
  return {
    message: turn_id === undefined ? message : `${message} (turn ${turn_id})`,
    type,
    param: field?.path || null,
    code: typeof openai_code === 'string' ? openai_code : named,
    ...(turn_id !== undefined && { turn_id }),
  }
}

/** The body and headers of an error response; the request id is in `x-request-id`, where OpenAI's clients read it. */
export function openaiErrorResponse(error: MuxiError, requestId: string): ReturnType<typeof errorResponse> {
  const { status, headers } = errorResponse(error, requestId)
  const turn_id = error.details?.['turn_id']
  const isOver = typeof turn_id === 'string'
  // A turn has been retried already: again would be another turn. A budget is not back in seconds.
  const isFinal = isOver || error.code === 'budget_exceeded'
  return {
    status,
    body: { error: toOpenaiError(error.toBody(), isOver ? turn_id : undefined) },
    headers: { ...headers, ...(isFinal && { 'x-should-retry': 'false' }) },
  }
}
