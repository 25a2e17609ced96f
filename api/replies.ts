// What a route answers: its success bodies by status, and the errors that do not follow from what the route takes.
import type { TSchema, TUnsafe } from '@sinclair/typebox'
import { type ErrorCode, STATUS_OF_CODE } from '../contracts/failures.ts'

/**
 * A body that is not one JSON value: a stream, a download, or none at all. Its handler returns a `Response`, unless `Returned` says
 * what else.
 */
export class Content<Returned = Response> {
  /** For the compiler only. */
  declare readonly returned: Returned
  /** By media type; empty when there is no body. */
  readonly types: Readonly<Record<string, TSchema>>
  readonly description: string
  constructor(description: string, types: Record<string, TSchema> = {}) {
    this.description = description
    this.types = types
  }
}

/** Server-sent events. @param event the schema of one event: `{id?, event, data}` */
export function streamOf(event: TSchema): Content {
  return new Content('A stream; the schema is that of each of its events', { 'text/event-stream': event })
}

/** A status without a body. */
export function noBody(description: string): Content {
  return new Content(description)
}

type Bodies = Record<number, TSchema | Content<unknown>>

/** What `replies` declares, as the key of a route's options from which the OpenAPI document is made. */
export interface Declared {
  bodies: Bodies
  errors: readonly ErrorCode[]
}

/**
 * Declares the answers of a route: `.get(path, handler, { ...replies({ 200: TurnSchema }), scope, detail })`.
 *
 * For the compiler this is Elysia's `response`, so that what the handler returns is checked. Elysia itself never sees
 * the schemas: no answer is checked, changed or refused when the server runs (decision 066); e2e tests check them all.
 * @param errors beyond those of `impliedErrors`
 */
export function replies<const B extends Bodies>(
  bodies: B,
  ...errors: ErrorCode[]
): { response: { [S in keyof B]: B[S] extends TSchema ? B[S] : B[S] extends Content<infer R> ? TUnsafe<R> : never } } {
  const declared: { replies: Declared } = { replies: { bodies, errors } }
  return declared as never
}

/** A route as listed by Elysia. */
export interface Route {
  method: string
  path: string
  hooks: {
    params?: TSchema
    query?: TSchema
    headers?: TSchema
    body?: TSchema
    replies?: Declared
    detail?: {
      hide?: boolean
      tags?: string[]
      summary?: string
      description?: string
      security?: { key?: string[] }[]
      parameters?: object[]
      requestBody?: object
    }
  }
}

/** The errors of a route: those that follow from what it takes, and those that it names. */
export function errorsOf({ method, hooks }: Route): ErrorCode[] {
  const { params, query, headers, body, detail, replies: declared } = hooks
  const codes: ErrorCode[] = [...(declared?.errors ?? []), 'forbidden', 'internal_error']
  if (detail?.security) codes.push('unauthorized', 'rate_limited', 'unavailable')
  if (params) codes.push('not_found')
  // Unknown query parameters are refused also where none is declared.
  if (params ?? query ?? headers ?? detail?.security) codes.push('bad_request')
  // Bodies are read and limited also where none is expected.
  if (body ?? (detail?.security && method !== 'GET'))
    codes.push('bad_request', 'payload_too_large', 'unsupported_media_type')
  return [...new Set(codes)].toSorted((a, b) => STATUS_OF_CODE[a] - STATUS_OF_CODE[b])
}
