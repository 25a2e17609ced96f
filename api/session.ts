// Browser sessions: a ticket is exchanged for a cookie, which authorizes the Temporal UI and the codec endpoint.
import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { MuxiError } from '../contracts/failures.ts'
import type { Principal } from '../db/queries/keys.ts'
import type { Origins } from './origins.ts'
import { addressOf, hostOf, isEncrypted } from './clients.ts'
import { anybody, authenticateSession, authenticateTicket } from './services/access.ts'
import type { ApiContext } from './services/context.ts'

const COOKIE = 'muxi_session'
const SESSION_S = 12 * 3_600

/** The principal of the browser's session. @throws MuxiError unauthorized, forbidden */
export async function sessionOf(context: ApiContext, origins: Origins, request: Request): Promise<Principal> {
  const { auth, storage } = context
  // To a browser, all ports of a host are the same site: it sends the cookie with requests of pages on any of them.
  const origin = request.headers.get('origin')
  if (origin !== null && !origins.trusts(origin, hostOf(request)))
    throw new MuxiError('forbidden', "Cannot answer: 'Origin' must be our own or a configured one")
  if (!auth) return anybody(context, addressOf(request))
  const cookie = new RegExp(`(?:^|; )${COOKIE}=([^;]+)`).exec(request.headers.get('cookie') ?? '')?.[1]
  const keyHash = cookie === undefined ? undefined : storage.box.openSession(decoded(cookie))
  return authenticateSession(context, keyHash, addressOf(request))
}

/** Whether the public URL is HTTPS: cookies are then `Secure`. */
export function isHttps({ public_url }: Pick<ApiContext, 'public_url'>, request: Request): boolean {
  return public_url.startsWith('https:') || isEncrypted(request)
}

/** The text itself when it is not valid percent-encoding: then it is not a session. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The other cookies of a request: the session cookie is never forwarded. */
export function foreignCookies(header: string): string {
  return header
    .split('; ')
    .filter((cookie) => !cookie.startsWith(`${COOKIE}=`))
    .join('; ')
}

export function sessionRoutes(context: ApiContext) {
  const { box } = context.storage
  return new Elysia({ detail: { hide: true } }).get(
    '/sign-in',
    async ({ query: { ticket, to = '/' }, cookie, request }) => {
      const address = addressOf(request)
      const principal = context.auth ? await authenticateTicket(context, ticket, address) : anybody(context, address)
      const value = box.sealSession(principal.key_hash, SESSION_S)
      const secure = isHttps(context, request)
      cookie[COOKIE]?.set({ value, httpOnly: true, sameSite: 'lax', secure, path: '/', maxAge: SESSION_S })
      return new Response(null, { status: 302, headers: { location: leadsToUs(context, to) ? to : '/' } })
    },
    { query: Type.Object({ ticket: Type.String(), to: Type.Optional(Type.String()) }) },
  )
}

/** Open redirect check: a sign-in link leads only to muxi's pages and to the Temporal UI. */
function leadsToUs({ temporalUiUrl }: ApiContext, to: string): boolean {
  return (
    /^\/(?![/\\])/.test(to) ||
    (temporalUiUrl !== undefined && (to === temporalUiUrl || to.startsWith(`${temporalUiUrl}/`)))
  )
}
