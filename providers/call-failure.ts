// From what a vendor's client, its server or the connection throws to the one failure of model calls.
import { UrlRefused } from '../contracts/url-refused.ts'
import { kindOfStatus, parseRetryAfter, ProviderFailure, redact, ReportedError } from './failure.ts'
import { refusedTools } from './refused-tools.ts'
import { kindOfReport } from './reported-errors.ts'

export interface CallOptions {
  /** What to call the provider in failures and logs. */
  name: string
  api_key?: string | undefined
  /** Longest silence of the model before the call is given up, in milliseconds. */
  stall_ms: number
  /** Is called with the headers of each answer. */
  observe?: ((model: string, status: number, headers: Headers) => void) | undefined
}

/** Headers in which vendors send the id of a request. */
const REQUEST_IDS = ['x-request-id', 'request-id', 'x-goog-request-id', 'cf-ray']

/** An answer with a status that is no success, as the clients of OpenAI and Anthropic throw it. */
interface RefusedCall {
  status: number
  message: string
  headers?: Headers
  error?: unknown
  param?: unknown
}

/** @param tools names of the offered tools, in their order */
export function toFailure(
  error: unknown,
  { name: provider, api_key, stall_ms }: CallOptions,
  stalled: boolean,
  tools: readonly string[] = [],
): ProviderFailure {
  if (error instanceof ProviderFailure) return error
  if (stalled || isAbort(error))
    return new ProviderFailure('retry', `The model was silent for ${stall_ms} ms`, { provider, cause: error })
  const refused = causesOf(error).find((cause) => cause instanceof UrlRefused)
  if (refused)
    return new ProviderFailure('final', `The model's address is refused: ${refused.message}`, {
      provider,
      cause: refused,
    })
  if (error instanceof ReportedError || isRefusedCall(error)) {
    const { headers, message, error: body } = error
    const { status, param } = error instanceof ReportedError ? {} : error
    return new ProviderFailure(
      status === undefined ? kindOfReport(body) : kindOfStatus(status),
      redact(message, api_key),
      {
        provider,
        status,
        request_id: REQUEST_IDS.map((id) => headers?.get(id)).find((id) => typeof id === 'string') ?? undefined,
        refused_tools: refusedTools({ status, message, param, error: body }, tools),
        retryAfter: parseRetryAfter(headers?.get('retry-after')) ?? retryInfoOf(body),
        // Not kept as the cause: it holds the whole answer, which may repeat the key, and loggers print causes.
      },
    )
  }
  const message = error instanceof Error ? error.message : String(error)
  // Clients wrap what fetch throws before there is an answer; a connection that breaks mid-stream surfaces as it is.
  if (isConnectionError(error))
    return new ProviderFailure('retry', redact(`The model could not be reached: ${message}`, api_key), {
      provider,
      cause: error,
    })
  return new ProviderFailure('unknown', redact(`The model's answer broke off: ${message}`, api_key), {
    provider,
    cause: error,
  })
}

function isRefusedCall(error: unknown): error is Error & RefusedCall {
  return error instanceof Error && typeof (error as { status?: unknown }).status === 'number'
}

/** By name: the classes would load the clients. */
function isAbort(error: unknown): boolean {
  return error instanceof Error && error.constructor.name === 'APIUserAbortError'
}

function isConnectionError(error: unknown): boolean {
  return (
    error instanceof UnreachableError ||
    (error instanceof Error && /^APIConnection(Timeout)?Error$/.test(error.constructor.name))
  )
}

/** A request that got no answer. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError'
}

function causesOf(error: unknown): Error[] {
  const causes: Error[] = []
  for (let each = error; each instanceof Error && causes.length < 8; each = each.cause) causes.push(each)
  return causes
}

/** Google sends the delay in the body: `{"@type": "….RetryInfo", "retryDelay": "19s"}`. */
function retryInfoOf(error: unknown): number | undefined {
  const { details } = (typeof error === 'object' && error !== null ? error : {}) as { details?: unknown }
  if (!Array.isArray(details)) return undefined
  const delays = (details as { retryDelay?: unknown }[]).map((detail) => /^([\d.]+)s$/.exec(String(detail?.retryDelay)))
  return parseRetryAfter(delays.find((delay) => delay !== null)?.[1])
}
