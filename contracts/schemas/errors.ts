// Errors on the wire: one body for all, with an example of each code.
import { Type } from '@sinclair/typebox'
import { type ErrorCode, STATUS_OF_CODE } from '../failures.ts'

const closed = { additionalProperties: false }
const CODES = Object.keys(STATUS_OF_CODE) as ErrorCode[]
const request_id = 'req_0199c0ffee7a7d3c8f21b7a0e4d95c16'

/** What an error tells beside its code and message. */
const DetailsSchema = Type.Object(
  {
    request_id: Type.String({ description: 'As in the header `x-request-id`' }),
    fields: Type.Optional(
      Type.Array(Type.Object({ path: Type.String(), expected: Type.String() }, closed), {
        description:
          'Of `bad_request`: each wrong field, and what was expected; the path is empty for the body as a whole',
      }),
    ),
    provider_request_id: Type.Optional(
      Type.String({ description: 'Of `upstream_error`: the id that the provider gave to its answer' }),
    ),
  },
  { additionalProperties: true },
)

/** The same inside streams and frames, where the request has no id of its own. */
export const ErrorBodySchema = Type.Object(
  {
    code: Type.Unsafe<ErrorCode>(Type.Union(CODES.map((code) => Type.Literal(code)))),
    message: Type.String({ description: 'What to do, for people' }),
    details: Type.Optional(Type.Partial(DetailsSchema, { additionalProperties: true })),
  },
  {
    ...closed,
    $id: 'ErrorBody',
    examples: [{ code: 'upstream_error', message: 'The model cannot be reached', details: { status: 502 } }],
  },
)

const example = (code: ErrorCode, message: string, details: object = {}) => ({
  error: { code, message, details: { ...details, request_id } },
})

/** The error body of HTTP, an example a code. */
export const ERROR_EXAMPLES: Record<ErrorCode, ReturnType<typeof example>> = {
  bad_request: example('bad_request', "Cannot read the request's body: 'content' must be a string", {
    fields: [{ path: 'content', expected: 'a string' }],
  }),
  unauthorized: example('unauthorized', 'Cannot answer: the key is missing or wrong'),
  forbidden: example('forbidden', "Cannot do this: the key needs the scope 'manage'"),
  not_found: example('not_found', "Cannot find agent 'helper'"),
  method_not_allowed: example('method_not_allowed', 'Cannot do this here: the method must be GET', { allow: ['GET'] }),
  conflict: example('conflict', "Cannot create the agent: 'helper' exists already"),
  precondition_failed: example('precondition_failed', "Cannot continue the upload: 'Tus-Resumable' must be 1.0.0"),
  payload_too_large: example('payload_too_large', 'Cannot take the request: its body must be at most 1048576 bytes'),
  unsupported_media_type: example(
    'unsupported_media_type',
    "Cannot read the request: 'Content-Type' must be application/json",
  ),
  range_not_satisfiable: example(
    'range_not_satisfiable',
    "Cannot give the file: 'Range' must begin within its 60 bytes",
  ),
  unprocessable: example('unprocessable', 'Cannot read the file: it is damaged'),
  rate_limited: example('rate_limited', 'Too many requests: try again in 12 seconds'),
  budget_exceeded: example('budget_exceeded', 'The daily budget is spent: it is renewed at midnight UTC'),
  internal_error: example('internal_error', 'Something went wrong on our side'),
  upstream_error: example('upstream_error', 'The model cannot be reached', {
    provider: 'openai',
    status: 502,
    provider_request_id: 'req_9f3c',
  }),
  unavailable: example('unavailable', 'The database cannot be reached'),
}

export const ErrorSchema = Type.Object(
  {
    error: Type.Object(
      { ...ErrorBodySchema.properties, details: DetailsSchema },
      { ...closed, description: 'The same object is the data of `error` events and frames' },
    ),
  },
  { ...closed, $id: 'Error', examples: [ERROR_EXAMPLES.not_found] },
)
