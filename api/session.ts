// A browser's session: a ticket is turned into a cookie, which opens the Temporal UI and shows the words in it.
import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { MuxiError } from '../contracts/failures.ts'
import type { Principal } from '../db/queries/keys.ts'
import type { Origins } from './origins.ts'
import { addressOf } from './plugin.ts'
import { ANYBODY, authenticateSession, authenticateTicket } from './services/access.ts'
import type { ApiContext } from './services/context.ts'

const COOKIE = 'muxi_session'
const SESSION_S = 12 * 3_600

/** Who the browser is signed in as. @throws MuxiError unauthorized, forbidden */
export async function sessionOf(
  { auth, storage: { db, box } }: ApiContext,
  origins: Origins,
  request: Request,
): Promise<Principal> {
  // Ports of one host are one site to a browser: it sends our cookie with requests of pages on any of them.
  const origin = request.headers.get('origin')
  if (origin !== null && !origins.trusts(origin, request.headers.get('host')))
    throw new MuxiError('forbidden', "Cannot answer: 'Origin' must be our own or a configured one")
  if (!auth) return ANYBODY
  const cookie = new RegExp(`(?:^|; )${COOKIE}=([^;]+)`).exec(request.headers.get('cookie') ?? '')?.[1]
  const keyHash = cookie === undefined ? undefined : box.openSession(decoded(cookie))
  return authenticateSession(db, keyHash, addressOf(request))
}

/** Whether people reach us over HTTPS: then a cookie must travel over nothing else. */
export function isHttps({ public_url }: Pick<ApiContext, 'public_url'>, request: Request): boolean {
  return public_url.startsWith('https:') || request.url.startsWith('https:')
}

/** The text as it came when it is not percent-encoded: then it is no session. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The other cookies of a request: ours goes to nobody else. */
export function foreignCookies(header: string): string {
  return header
    .split('; ')
    .filter((cookie) => !cookie.startsWith(`${COOKIE}=`))
    .join('; ')
}

export function sessionRoutes(context: ApiContext) {
  const { db, box } = context.storage
  return new Elysia({ detail: { hide: true } }).get(
    '/sign-in',
    async ({ query: { ticket, to = '/' }, cookie, request }) => {
      const principal = context.auth ? await authenticateTicket(db, ticket, addressOf(request)) : ANYBODY
      const value = box.sealSession(principal.key_hash, SESSION_S)
      const secure = isHttps(context, request)
      cookie[COOKIE]?.set({ value, httpOnly: true, sameSite: 'lax', secure, path: '/', maxAge: SESSION_S })
      return new Response(null, { status: 302, headers: { location: leadsToUs(context, to) ? to : '/' } })
    },
    { query: Type.Object({ ticket: Type.String(), to: Type.Optional(Type.String()) }) },
  )
}

/** A sign-in link must not send anybody elsewhere: to our own pages and to the Temporal UI only. */
function leadsToUs({ temporalUiUrl }: ApiContext, to: string): boolean {
  return (
    /^\/(?![/\\])/.test(to) ||
    (temporalUiUrl !== undefined && (to === temporalUiUrl || to.startsWith(`${temporalUiUrl}/`)))
  )
}
