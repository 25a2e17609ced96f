// The codec server of the Temporal UI: adds the text to the references in workflow history, for authorized users.
import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import type { Principal } from '../db/queries/keys.ts'
import type { Origins } from './origins.ts'
import { addressOf } from './clients.ts'
import { bearerOf } from './plugin.ts'
import { readJsonBody } from './body.ts'
import { readJson } from './json.ts'
import { checkBody } from './request-checks.ts'
import { authenticate, authorize } from './services/access.ts'
import type { ApiContext } from './services/context.ts'
import { referencedText } from './services/referenced-text.ts'
import { sessionOf } from './session.ts'

const MAX_BODY = 8 * 2 ** 20
const MAX_PAYLOADS = 1_000

const PayloadsSchema = Type.Object({
  payloads: Type.Array(
    Type.Object({
      metadata: Type.Optional(Type.Record(Type.String(), Type.String())),
      data: Type.Optional(Type.String()),
    }),
    {
      maxItems: MAX_PAYLOADS,
    },
  ),
})

/** A payload in requests and responses of the UI: metadata and data in base64. */
interface Payload {
  metadata?: Record<string, string> | undefined
  data?: string | undefined
}

export function codecRoutes(context: ApiContext, origins: Origins) {
  return new Elysia({ prefix: '/codec', detail: { hide: true } })
    .onParse(async ({ request }) => {
      await principalOfUi(context, origins, request)
      return readJsonBody(request, MAX_BODY)
    })
    .onTransform(({ request, route, body }) => checkBody(body, request, route))
    .post(
      '/decode',
      async ({ body, request }) => {
        const principal = await principalOfUi(context, origins, request)
        const payloads: Payload[] = []
        for (const payload of body.payloads) {
          payloads.push(await withWords(context, principal, payload))
          // Each payload reads the database.
          await yieldToEventLoop()
        }
        return { payloads }
      },
      { body: PayloadsSchema },
    )
}

/** The UI sends the session cookie, because both are on one origin; programs send their key. @throws MuxiError unauthorized, forbidden */
async function principalOfUi(context: ApiContext, origins: Origins, request: Request): Promise<Principal> {
  const bearer = bearerOf(request.headers.get('authorization'))
  const principal = bearer
    ? await authenticate(context, bearer, addressOf(request))
    : await sessionOf(context, origins, request)
  authorize(principal, 'chat')
  return principal
}

/** The payload with the text that it refers to, or as it came. */
async function withWords(context: ApiContext, principal: Principal, payload: Payload): Promise<Payload> {
  const encoding = Buffer.from(payload.metadata?.['encoding'] ?? '', 'base64').toString()
  if (encoding !== 'json/plain' || payload.data === undefined) return payload
  const value = await readJson(
    Buffer.from(payload.data, 'base64'),
    "read the payloads: the 'data' of each json/plain one",
  )
  const words = await referencedText(context, principal, value)
  if (words === undefined) return payload
  const data = Buffer.from(JSON.stringify({ ...(value as object), text: words })).toString('base64')
  return { ...payload, data }
}
