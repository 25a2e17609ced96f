// Serves the Temporal UI of our own server under `/temporal`, to who may see all histories: one address, one session.
import { Elysia } from 'elysia'
import { MuxiError } from '../contracts/failures.ts'
import type { Origins } from './origins.ts'
import { authorize } from './services/access.ts'
import type { ApiContext } from './services/context.ts'
import { foreignCookies, sessionOf } from './session.ts'

/** Headers that speak of one connection, or of an encoding that fetch has undone. */
const DROPPED = ['connection', 'content-encoding', 'content-length', 'keep-alive', 'transfer-encoding']
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
    const answer = await fetch(new URL(pathname + search, upstream), {
      method: request.method,
      headers,
      body,
      redirect: 'manual',
      signal,
    })
    const kept = new Headers(answer.headers)
    for (const name of DROPPED) kept.delete(name)
    return new Response(answer.body, { status: answer.status, headers: kept })
  } catch (cause) {
    throw new MuxiError('unavailable', 'The Temporal UI cannot be reached', { retryAfter: 2, cause })
  }
}
