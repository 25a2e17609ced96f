// A browser's session: a ticket is turned into a cookie, which opens the Temporal UI and shows the words in it.
import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { MuxiError } from '../contracts/failures.ts'
import { findPrincipalById, redeemTicket, type Principal } from '../db/queries/keys.ts'
import { ANYBODY } from './services/access.ts'
import type { ApiContext } from './services/context.ts'

const COOKIE = 'muxi_session'
const SESSION_S = 12 * 3_600

/** Who the browser is signed in as. @throws MuxiError unauthorized */
export async function sessionOf({ auth, storage: { db, box } }: ApiContext, request: Request): Promise<Principal> {
  if (!auth) return ANYBODY
  const cookie = new RegExp(`(?:^|; )${COOKIE}=([^;]+)`).exec(request.headers.get('cookie') ?? '')?.[1]
  const keyId = cookie === undefined ? undefined : box.openSession(decoded(cookie))
  const principal = keyId === undefined ? undefined : await findPrincipalById(db, keyId)
  if (principal) return principal
  throw new MuxiError('unauthorized', 'Cannot show this: open it from the web page, which signs you in with its key')
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
    async ({ query: { ticket, to = '/' }, cookie }) => {
      const principal = context.auth ? await redeemTicket(db, ticket) : ANYBODY
      if (!principal)
        throw new MuxiError(
          'unauthorized',
          'Cannot sign in: the ticket must be a fresh one from POST /api/v1/ws/tickets',
        )
      const value = box.sealSession(principal.key_id, SESSION_S)
      cookie[COOKIE]?.set({ value, httpOnly: true, sameSite: 'lax', path: '/', maxAge: SESSION_S })
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
