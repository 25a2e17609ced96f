// Sign-in to MCP servers: redirect, callback, and the client metadata document for authorization servers.
import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import type { ApiContext } from '../services/context.ts'
import { isHttps } from '../session.ts'
import { finishVisit, visitAuthorizationServer, type SignInPage } from '../services/sign-ins.ts'

const COOKIE = 'muxi_oauth'
const COOKIE_S = 3_600
const text = (maxLength: number) => Type.Optional(Type.String({ maxLength }))

export function oauthRoutes(context: ApiContext) {
  return new Elysia({ prefix: '/oauth', detail: { hide: true } })
    .get('/client.json', () => context.mcp.oauth.clientDocument(context.public_url))
    .get(
      '/sign-in/:id',
      async ({ params: { id }, cookie, request }) => {
        const mine = cookie[COOKIE]
        const opened = await visitAuthorizationServer(context, id, browserOf(mine?.value))
        if ('page' in opened) return show(opened.page)
        mine?.set({
          value: opened.browser,
          httpOnly: true,
          sameSite: 'lax',
          secure: isHttps(context, request),
          path: '/oauth',
          maxAge: COOKIE_S,
        })
        return new Response(null, { status: 302, headers: { location: opened.url, ...PRIVATE } })
      },
      { params: Type.Object({ id: Type.String({ maxLength: 64 }) }) },
    )
    .get(
      '/callback',
      async ({ query, cookie }) => show(await finishVisit(context, query, browserOf(cookie[COOKIE]?.value))),
      {
        query: Type.Object(
          { state: text(512), code: text(8_192), iss: text(2_048), error: text(256) },
          { additionalProperties: true },
        ),
      },
    )
}

/** The URLs of these pages are secrets. */
const PRIVATE = { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }
const HEADERS = {
  ...PRIVATE,
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'x-content-type-options': 'nosniff',
}

function show({ status, title, text: told, again }: SignInPage): Response {
  const link = again === undefined ? '' : `<p><a href="${escape(again)}">Try again</a></p>`
  const body = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(title)}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem}h1{font-size:1.4rem}</style>
<h1>${escape(title)}</h1><p>${escape(told)}</p>${link}
`
  return new Response(body, { status, headers: HEADERS })
}

function escape(plain: string): string {
  return plain.replaceAll(/[&<>"']/g, (sign) => `&#${sign.codePointAt(0)};`)
}

function browserOf(value: unknown): string | undefined {
  return typeof value === 'string' && /^[\w-]{43}$/.test(value) ? value : undefined
}
