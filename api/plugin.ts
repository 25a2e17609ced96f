// The common part of every route of /api/v1, /v1 and /mcp: authentication, client address, and body limits.
import type { TSchema } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { MuxiError } from '../contracts/failures.ts'
import { MAX_CONVERSATION_VALUES, MAX_JSON_VALUES } from '../contracts/json-bounds.ts'
import { exampleOf } from '../contracts/schemas/examples.ts'
import type { Principal, Scope } from '../db/queries/keys.ts'
import { readJsonBody } from './body.ts'
import { addressOf } from './clients.ts'
import { invalid } from './errors.ts'
import { checkBody, checkQuery, checkScope } from './request-checks.ts'
import { routeName } from './route-name.ts'
import { anybody, authenticate } from './services/access.ts'
import type { ApiContext } from './services/context.ts'
import { rateClassOf } from './services/rate-limiter.ts'

/** Routes whose bodies may carry attachments. */
const CHAT_ROUTE = /\/chat(\/(stream|completions|ui))?$/

/** Those whose clients send the whole conversation with each message. */
const CONVERSATION_ROUTE = /\/chat\/(completions|ui)$/

/** Those that keep or pass on what they are given: numbers have their digits there. */
const EXACT_ROUTE = /\/(context_memory|approvals\/[^/]+)$/

/** Routes whose handlers stream the body themselves. */
const UPLOAD_ROUTE = /\/(files|files\/uploads(\/[^/]+)?|audio\/transcriptions)$/

/** The key in an `Authorization` header. */
export function bearerOf(header: string | null | undefined): string | undefined {
  return /^Bearer (\S+)$/i.exec(header ?? '')?.[1]
}

const asked = new WeakMap<Request, Promise<Principal>>()

/**
 * The principal of a request, which is counted; once. @param headers of the answer
 * @throws MuxiError unauthorized, forbidden, rate_limited
 */
function principalOf(context: ApiContext, request: Request, route: string, headers: object): Promise<Principal> {
  const known = asked.get(request)
  if (known) return known
  const admitted = context.auth
    ? admit(context, request, route, headers)
    : Promise.resolve(anybody(context, addressOf(request)))
  const principal = admitted.then((each) => {
    checkScope(each, request, route)
    return each
  })
  void principal.then(
    () => context.requestCounts.add(countedName(request.method, route)),
    () => senderOf(request) && context.requestCounts.add(countedName(request.method, route)),
  )
  asked.set(request, principal)
  return principal
}

/** A route as in the OpenAPI document, without a parameter's value. */
function countedName(method: string, route: string): string {
  return `${method} ${routeName(route)}`
}

/** Those of requests with a valid key, also when what they asked for was refused. */
const principals = new WeakMap<Request, Principal>()

/** Who has sent a request; undefined without a valid key. */
export function senderOf(request: Request): Principal | undefined {
  return principals.get(request)
}

async function admit(context: ApiContext, request: Request, route: string, headers: object): Promise<Principal> {
  const { rateLimiter } = context
  const address = addressOf(request)
  const secret = bearerOf(request.headers.get('authorization'))
  const principal = await rateLimiter.authenticated(authenticate(context, secret, address), address)
  principals.set(request, principal)
  context.requestCounts.used(principal.key_id)
  const admitted = await rateLimiter.admit(principal, rateClassOf(request.method, route))
  Object.assign(headers, admitted.headers)
  if (admitted.refusal) throw admitted.refusal
  return principal
}

/** Resolves `principal` for each request; reads JSON bodies within their limits. Each route declares its `scope`, or several alternatives. */
export function authenticated(context: ApiContext) {
  return (
    new Elysia({ name: 'authenticated' })
      .onParse({ as: 'scoped' }, async ({ request, route, set }) => {
        // No body is read without an authorized key.
        await principalOf(context, request, route, set.headers)
        const { limits } = context
        const { pathname } = new URL(request.url)
        // Never undefined: Elysia would then read the body itself, a form into memory.
        if (UPLOAD_ROUTE.test(pathname)) return null
        const limit = CHAT_ROUTE.test(pathname) ? limits.chat_body_bytes : limits.json_body_bytes
        const maxValues = CONVERSATION_ROUTE.test(pathname) ? MAX_CONVERSATION_VALUES : MAX_JSON_VALUES
        const body = await readJsonBody(request, limit, { maxValues, exact: EXACT_ROUTE.test(pathname) })
        // Below, null stands for no body.
        if (body === null)
          throw invalid("the request's body", [{ path: [], kind: 'wrong', expected: 'other than null' }])
        return body ?? null
      })
      .macro({
        scope: (scope: Scope | readonly Scope[]) => ({
          detail: { security: [scope].flat().map((each) => ({ key: [each] })) },
        }),
      })
      // Never reached: it declares in the OpenAPI document the body type that the hook above reads.
      .guard({ as: 'scoped', parse: ['json'] })
      .onTransform({ as: 'scoped' }, async ({ request, route, body, query, set }) => {
        await principalOf(context, request, route, set.headers)
        checkBody(body, request, route)
        checkQuery(query, request, route)
      })
      .derive({ as: 'scoped' }, async ({ request, route, set }): Promise<{ principal: Principal }> => ({
        principal: await principalOf(context, request, route, set.headers),
      }))
  )
}

/** For the OpenAPI document: the body of a route whose handler reads it. @param schemas by content type */
export function bodyOf(schemas: Record<string, TSchema>) {
  const content = Object.entries(schemas).map(([type, schema]) => [type, { schema, example: exampleOf(schema) }])
  return { required: true, content: Object.fromEntries(content) as Record<string, object> }
}

/** One page of a list in the contract's envelope. */
export function page<T>(
  items: T[],
  limit: number,
  cursorOf: (item: T) => string,
): { items: T[]; has_more: boolean; next_cursor: string | null } {
  const shown = items.slice(0, limit)
  const last = shown.at(-1)
  const more = items.length > limit
  return { items: shown, has_more: more, next_cursor: more && last ? cursorOf(last) : null }
}

export function methodNotAllowed(allowed: string[]): MuxiError {
  return new MuxiError('method_not_allowed', `Cannot do this here: the method must be ${allowed.join(' or ')}`, {
    details: { allow: allowed },
  })
}
