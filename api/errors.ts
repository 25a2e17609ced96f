// Error responses: a code of the contract, a message, the request id; never a stack trace or an unforeseen message.
import type { TSchema } from '@sinclair/typebox'
import { ValidationError } from 'elysia'
import type { Logger } from 'pino'
import { MuxiError } from '../contracts/failures.ts'
import { shorten } from '../contracts/shorten.ts'
import { isDiskFull } from '../db/disk.ts'
import { isDatabaseAway } from '../db/storage.ts'
import { dotted, schemaFaults, type SchemaFault } from '../contracts/schemas/faults.ts'

/** Of JSON-RPC. */
const PARSE_ERROR = -32_700
/** Retry-After of a full disk, in seconds: an operator must free space. */
const DISK_FULL_S = 10

/** Converts an error thrown inside the API to the client's error. Unforeseen ones are logged and lose their message. */
export function toMuxiError(error: unknown, log: Logger): MuxiError {
  if (error instanceof MuxiError) return error
  if (error instanceof ValidationError) return toBadRequest(error)
  // Elysia wraps errors of a parser.
  const { cause } = (error ?? {}) as { cause?: unknown }
  if (cause instanceof MuxiError) return cause
  if (isDiskFull(error) || isDiskFull(cause))
    return new MuxiError('unavailable', 'The disk of the data folder is full', {
      retryAfter: DISK_FULL_S,
      cause: error,
    })
  if (isDatabaseAway(error) || isDatabaseAway(cause))
    return new MuxiError('unavailable', 'The database cannot be reached', { retryAfter: 2, cause: error })
  const code = (error as { code?: unknown } | null)?.code
  if (code === 'NOT_FOUND') return new MuxiError('not_found', 'There is no such address')
  if (code === 'PARSE' && (cause === undefined || cause instanceof SyntaxError))
    return new MuxiError('bad_request', 'Cannot read the request: its body must be JSON')
  log.error({ err: error }, 'a request failed unexpectedly')
  return new MuxiError('internal_error', 'Something went wrong on our side', { cause: error })
}

function toBadRequest(error: ValidationError): MuxiError {
  const schema = (error as unknown as { validator?: { schema?: TSchema } }).validator?.schema
  return invalid(`the request's ${error.type}`, schema ? schemaFaults(schema, error.value) : [])
}

/** A `bad_request` that names each invalid field. @param what the unreadable thing, such as `the frame` */
export function invalid(what: string, faults: SchemaFault[]): MuxiError {
  const fields = faults.map(({ path, kind, expected }) => ({
    // Empty for the whole.
    path: shorten(dotted(path)),
    expected: kind === 'unknown' ? `left out: ${expected}` : expected,
  }))
  const words = fields.map(({ path, expected }) => `${path ? `'${path}'` : 'it'} must be ${expected}`).join('; ')
  return new MuxiError('bad_request', `Cannot read ${what}: ${words || 'it is not as documented'}`, {
    details: { fields },
  })
}

/** Of a JSON-RPC request that is not JSON: its id is not known (JSON-RPC 2.0, 5.1). */
export function parseErrorResponse(error: MuxiError, requestId: string): ReturnType<typeof errorResponse> {
  const { status, headers } = errorResponse(error, requestId)
  const body = { jsonrpc: '2.0', id: null, error: { code: PARSE_ERROR, message: error.message } }
  return { status, body, headers }
}

/** The body and headers of an error response. */
export function errorResponse(
  error: MuxiError,
  requestId: string,
): { status: number; body: unknown; headers: Record<string, string> } {
  const body = error.toBody()
  return {
    status: error.status,
    body: { error: { ...body, details: { ...body.details, request_id: requestId } } },
    headers: {
      ...(error.retryAfter !== undefined && { 'retry-after': String(Math.ceil(error.retryAfter)) }),
      ...(error.code === 'unauthorized' && { 'www-authenticate': 'Bearer' }),
    },
  }
}
