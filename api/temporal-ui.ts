// Proxies the UI of muxi's own Temporal server under `/temporal`, for sessions that may read all histories: one origin, one
// session.
import { type IncomingMessage, request as httpRequest } from 'node:http'
import { Readable } from 'node:stream'
import { Elysia } from 'elysia'
import { MuxiError } from '../contracts/failures.ts'
import type { Origins } from './origins.ts'
import { authorize } from './services/access.ts'
import type { ApiContext } from './services/context.ts'
import { foreignCookies, sessionOf } from './session.ts'

/** Hop-by-hop headers. */
const DROPPED = ['connection', 'content-length', 'keep-alive', 'transfer-encoding']
/** Statuses without a body. */
const BODILESS = [204, 304]
const TIMEOUT_MS = 70_000

export function temporalUiRoutes(context: ApiContext, origins: Origins) {
  const forward = async ({ request }: { request: Request }) => {
    const { temporalUpstream } = context
    if (temporalUpstream === undefined)
      throw new MuxiError('not_found', 'There is no Temporal UI of our own; see TEMPORAL_UI_URL')
    authorize(await sessionOf(context, origins, request), 'admin')
    return proxy(request, temporalUpstream)
  }
  return new Elysia({ detail: { hide: true } })
    .all('/temporal', forward, { parse: 'none' })
    .all('/temporal/*', forward, { parse: 'none' })
}

async function proxy(request: Request, upstream: string): Promise<Response> {
  const { pathname, search } = new URL(request.url)
  const headers = new Headers(request.headers)
  for (const name of [...DROPPED, 'host', 'authorization']) headers.delete(name)
  headers.set('cookie', foreignCookies(headers.get('cookie') ?? ''))
  const body = request.method === 'GET' || request.method === 'HEAD' ? undefined : await request.arrayBuffer()
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT_MS)])
  try {
    const answer = await exchange(new URL(pathname + search, upstream), request.method, headers, body, signal)
    const kept = new Headers()
    for (const [name, value] of Object.entries(answer.headersDistinct)) {
      if (!DROPPED.includes(name)) for (const each of value ?? []) kept.append(name, each)
    }
    const status = answer.statusCode ?? 502
    const bodiless = request.method === 'HEAD' || BODILESS.includes(status)
    if (bodiless) answer.resume()
    return new Response(bodiless ? null : (Readable.toWeb(answer) as ReadableStream), { status, headers: kept })
  } catch (cause) {
    throw new MuxiError('unavailable', 'The Temporal UI cannot be reached', { retryAfter: 2, cause })
  }
}

/** Not with `fetch`, which blocks the port like a browser: temporal-config/server-ports.ts. */
function exchange(
  url: URL,
  method: string,
  headers: Headers,
  body: ArrayBuffer | undefined,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    httpRequest(url, { method, headers: Object.fromEntries(headers), signal })
      .on('response', resolve)
      .on('error', reject)
      .end(body && new Uint8Array(body))
  })
}
