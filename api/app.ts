// The HTTP application: every route, one way for requests in and one way for errors out.
import { Elysia } from 'elysia'
import { MuxiError } from '../contracts/failures.ts'
import { newId } from '../contracts/ids.ts'
import { codecRoutes } from './codec.ts'
import { errorResponse, toMuxiError } from './errors.ts'
import { isOpenaiPath, openaiErrorResponse } from './openai/errors.ts'
import { openaiRoutes } from './routes/openai.ts'
import { openApiRoutes } from './openapi.ts'
import type { Origins } from './origins.ts'
import { addressOf, type ClientSide, hostOf, noteClient } from './clients.ts'
import { methodNotAllowed, senderOf } from './plugin.ts'
import type { Route } from './replies.ts'
import { knowRoutes } from './request-checks.ts'
import { agentConversationRoutes } from './routes/agent-conversations.ts'
import { agentFileRoutes } from './routes/agent-files.ts'
import { agentRoutes } from './routes/agents.ts'
import { approvalRoutes } from './routes/approvals.ts'
import { audioRoutes } from './routes/audio.ts'
import { auditRoutes } from './routes/audit.ts'
import { budgetRoutes } from './routes/budgets.ts'
import { chatRoutes } from './routes/chat.ts'
import { conversationRoutes } from './routes/conversations.ts'
import { eventRoutes } from './routes/events.ts'
import { fileRoutes } from './routes/files.ts'
import { jobRoutes } from './routes/jobs.ts'
import { keyRoutes } from './routes/keys.ts'
import { knowledgeRoutes } from './routes/knowledge.ts'
import { logRoutes } from './routes/logs.ts'
import { mcpRoutes } from './routes/mcp.ts'
import { mcpServerRoutes } from './routes/mcp-servers.ts'
import { memoryRoutes } from './routes/memory.ts'
import { metricsRoutes } from './routes/metrics.ts'
import { oauthRoutes } from './routes/oauth.ts'
import { searchRoutes } from './routes/search.ts'
import { spendingRoutes } from './routes/spending.ts'
import { statusRoutes } from './routes/status.ts'
import { systemRoutes } from './routes/system.ts'
import { systemUsageRoutes } from './routes/system-usage.ts'
import { turnRoutes } from './routes/turns.ts'
import { uiStreamRoutes } from './routes/ui-stream.ts'
import { uploadRoutes } from './routes/uploads.ts'
import { userRoutes } from './routes/users.ts'
import { webRoutes } from './routes/web.ts'
import type { ApiContext } from './services/context.ts'
import { sessionRoutes } from './session.ts'
import { securityHeaders } from './security-headers.ts'
import { temporalUiRoutes } from './temporal-ui.ts'
import { FILE_HEADER } from './tus.ts'

export interface AppOptions {
  version: string
  /** Whether muxi itself serves HTTPS. */
  encrypted: boolean
}

export function createApp(context: ApiContext, origins: Origins, { version, encrypted }: AppOptions) {
  const routes: Route[] = []
  const app = new Elysia({ normalize: false })
    .onRequest(({ request, set }) => {
      set.headers['x-request-id'] = newId('req')
      Object.assign(set.headers, securityHeaders(pathOf(request), encrypted))
      const origin = request.headers.get('origin')
      origins.check(hostOf(request), origin)
      if (origin === null) return undefined
      Object.assign(set.headers, corsHeaders(origins, origin))
      return request.method === 'OPTIONS' ? preflight(corsHeaders(origins, origin)) : undefined
    })
    // Not when parsing: with a hook there Elysia fails on routes that have no parser.
    .onTransform({ as: 'global' }, ({ request, route }) => context.metrics.matched(request, route))
    .onError(({ error, code, request, route, set }) => {
      // Refused before its body was read; without a route when it was refused before one was looked for.
      if (route) context.metrics.matched(request, route)
      const allowed = code === 'NOT_FOUND' ? otherMethods(app.routes, request) : []
      const failure =
        allowed.length > 0
          ? methodNotAllowed(allowed)
          : ((code === 'NOT_FOUND' ? unknownVersion(request) : undefined) ?? toMuxiError(error, context.log))
      const toResponse = isOpenaiPath(new URL(request.url).pathname) ? openaiErrorResponse : errorResponse
      const response = toResponse(failure, String(set.headers['x-request-id']))
      if (allowed.length > 0) set.headers['allow'] = allowed.join(', ')
      Object.assign(set.headers, response.headers)
      set.status = response.status
      return response.body
    })
    .use(openApiRoutes(routes, version))
    .use(systemRoutes(context))
    .use(metricsRoutes(context))
    .use(webRoutes())
    .use(codecRoutes(context, origins))
    .use(sessionRoutes(context))
    .use(oauthRoutes(context))
    .use(temporalUiRoutes(context, origins))
    .use(mcpRoutes(context, version))
    .use(openaiRoutes(context))
    .group('/api/v1', (api) =>
      api
        .use(agentRoutes(context))
        .use(agentFileRoutes(context))
        .use(agentConversationRoutes(context))
        .use(audioRoutes(context))
        .use(chatRoutes(context))
        .use(uiStreamRoutes(context))
        .use(turnRoutes(context))
        .use(logRoutes(context))
        .use(approvalRoutes(context))
        .use(eventRoutes(context))
        .use(conversationRoutes(context))
        .use(searchRoutes(context))
        .use(memoryRoutes(context))
        .use(userRoutes(context))
        .use(fileRoutes(context))
        .use(uploadRoutes(context))
        .use(jobRoutes(context))
        .use(knowledgeRoutes(context))
        .use(mcpServerRoutes(context))
        .use(keyRoutes(context))
        .use(auditRoutes(context))
        .use(budgetRoutes(context))
        .use(spendingRoutes(context))
        .use(statusRoutes(context, version))
        .use(systemUsageRoutes(context)),
    )
  routes.push(...(app.routes as Route[]))
  knowRoutes(routes)
  return app
}

/** Answers a request, and notes it in the audit. @param client who sends it, where that is not to be read from the request */
export async function answer(
  context: ApiContext,
  app: ReturnType<typeof createApp>,
  request: Request,
  client?: ClientSide,
): Promise<Response> {
  const { ip } = request as { ip?: string | undefined }
  noteClient(request, client ?? context.clients.of(ip, (name) => request.headers.get(name)))
  const began = performance.now()
  const response = await app.fetch(request)
  if (request.headers.has('origin')) addVary(response.headers, 'origin')
  context.metrics.answered(request, response.status, (performance.now() - began) / 1_000)
  const path = pathOf(request)
  if (AUDITED.test(path))
    context.audit.note({
      principal: senderOf(request),
      address: addressOf(request),
      action: request.method,
      path,
      status: response.status,
      request_id: response.headers.get('x-request-id'),
    })
  return response
}

/** Beside what the handler of a route says itself. */
function addVary(headers: Headers, name: string): void {
  const named = (headers.get('vary') ?? '').toLowerCase().split(/\s*,\s*/)
  if (!named.includes(name) && !named.includes('*')) headers.append('vary', name)
}

function pathOf(request: Request): string {
  return new URL(request.url).pathname
}

const AUDITED = /^\/(api\/v1|v1|mcp|metrics)(\/|$)/

/** What pages of other origins may send and read besides what browsers always allow. */
const ALLOWED = [
  'authorization, content-type, idempotency-key, if-none-match, last-event-id, x-namespace, mcp-session-id, mcp-protocol-version',
  'tus-resumable, upload-length, upload-metadata, upload-offset, x-requested-with',
].join(', ')
const EXPOSED = [
  'etag, x-request-id, retry-after, ratelimit, ratelimit-policy, mcp-session-id',
  `location, ${FILE_HEADER}, tus-resumable, tus-version, tus-extension, tus-max-size`,
  'upload-expires, upload-length, upload-metadata, upload-offset',
].join(', ')

/** Pages of configured origins may send the session cookie. Any other page that gets here must have its own key. */
function corsHeaders(origins: Origins, origin: string): Record<string, string> {
  return {
    ...(origins.isConfigured(origin)
      ? { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true' }
      : { 'access-control-allow-origin': '*' }),
    'access-control-expose-headers': EXPOSED,
  }
}

function preflight(cors: Record<string, string>): Response {
  return new Response(null, {
    status: 204,
    headers: {
      ...cors,
      'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
      'access-control-allow-headers': ALLOWED,
      'access-control-max-age': '600',
    },
  })
}

/** For a path of another version of the API. */
function unknownVersion(request: Request): MuxiError | undefined {
  const [, version] = /^\/api\/(v\d{1,4})(?:\/|$)/.exec(new URL(request.url).pathname) ?? []
  if (version === undefined || version === 'v1') return undefined
  return new MuxiError('not_found', `There is no version '${version}' of the API: its paths begin with /api/v1`)
}

/** The allowed methods of a path, when the requested one is not among them. */
function otherMethods(routes: readonly { method: string; path: string }[], request: Request): string[] {
  const path = pathOf(request).replace(/(?<=.)\/$/, '')
  const exact = routes.filter((route) => route.path === path)
  const found = exact.length > 0 ? exact : routes.filter((route) => toPattern(route.path).test(path))
  const matches = found.map(({ method }) => method).filter((method) => method !== 'OPTIONS')
  return matches.includes(request.method) ? [] : [...new Set(matches)]
}

function toPattern(path: string): RegExp {
  const plain = path.replace(/(?<=.)\/$/, '').replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${plain.replace(/:[a-z_]+/g, '[^/]+')}$`)
}
