// The codec server of the Temporal UI: puts the words beside the references that stand in workflow history, for whoever may see them.
import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { MuxiError } from '../contracts/failures.ts'
import { findPrincipalById, redeemTicket, type Principal } from '../db/queries/keys.ts'
import { bearerOf, addressOf } from './plugin.ts'
import { readJsonBody } from './body.ts'
import { ANYBODY, authenticate, authorize } from './services/access.ts'
import type { ApiContext } from './services/context.ts'
import { wordsOf } from './services/words.ts'

const COOKIE = 'muxi_codec'
const SESSION_S = 12 * 3_600
const MAX_BODY = 8 * 2 ** 20
const MAX_PAYLOADS = 1_000

const PayloadsSchema = Type.Object({
  payloads: Type.Array(Type.Object({ metadata: Type.Optional(Type.Record(Type.String(), Type.String())), data: Type.Optional(Type.String()) }), {
    maxItems: MAX_PAYLOADS,
  }),
})

/** What the UI posts and wants back: metadata and data in base64. */
interface Payload {
  metadata?: Record<string, string> | undefined
  data?: string | undefined
}

export function codecRoutes(context: ApiContext) {
  const { db, box } = context.storage

  /** The UI sends our cookie along, because both are on one host; programs send their key. */
  async function principalOf(request: Request, cookie: string | undefined): Promise<Principal> {
    if (!context.auth) return ANYBODY
    const bearer = bearerOf(request.headers.get('authorization'))
    if (bearer !== undefined) return authenticate(db, bearer, addressOf(request))
    const keyId = cookie === undefined ? undefined : box.openSession(cookie)
    const principal = keyId === undefined ? undefined : await findPrincipalById(db, keyId)
    if (!principal) throw new MuxiError('unauthorized', 'Cannot show the text: open the Temporal UI from the web page, or sign in with a ticket')
    return principal
  }

  return new Elysia({ prefix: '/codec', detail: { hide: true } })
    .onParse(({ request }) => readJsonBody(request, MAX_BODY))
    .get(
      '/sign-in',
      async ({ query: { ticket, to }, cookie, redirect }) => {
        const principal = context.auth ? await redeemTicket(db, ticket) : ANYBODY
        if (!principal) throw new MuxiError('unauthorized', 'Cannot sign in: the ticket must be a fresh one from POST /api/v1/ws/tickets')
        cookie[COOKIE]?.set({ value: box.sealSession(principal.key_id, SESSION_S), httpOnly: true, sameSite: 'lax', path: '/codec', maxAge: SESSION_S })
        const { temporalUiUrl } = context
        if (temporalUiUrl === undefined) return { status: 'signed in' }
        // Only ever to the Temporal UI: a ticket link must not send anybody elsewhere.
        return redirect(to?.startsWith(`${temporalUiUrl}/`) ? to : temporalUiUrl)
      },
      { query: Type.Object({ ticket: Type.String(), to: Type.Optional(Type.String()) }) },
    )
    .post(
      '/decode',
      async ({ body, request, cookie }) => {
        const principal = await principalOf(request, cookie[COOKIE]?.value as string | undefined)
        authorize(principal, 'chat')
        return { payloads: await Promise.all(body.payloads.map((payload) => withWords(context, principal, payload))) }
      },
      { body: PayloadsSchema },
    )
}

/** The payload with the text that it refers to, or as it came. */
async function withWords(context: ApiContext, principal: Principal, payload: Payload): Promise<Payload> {
  const encoding = Buffer.from(payload.metadata?.['encoding'] ?? '', 'base64').toString()
  if (encoding !== 'json/plain' || payload.data === undefined) return payload
  const value: unknown = JSON.parse(Buffer.from(payload.data, 'base64').toString())
  const words = await wordsOf(context, principal, value)
  if (words === undefined) return payload
  const data = Buffer.from(JSON.stringify({ ...(value as object), text: words })).toString('base64')
  return { ...payload, data }
}
