// The HTTP application: every route, one way for requests in and one way for errors out.
import { Elysia } from 'elysia'
import { MuxiError } from '../contracts/failures.ts'
import { newId } from '../contracts/ids.ts'
import { codecRoutes } from './codec.ts'
import { errorResponse, parseErrorResponse, toMuxiError } from './errors.ts'
import { answerHead, asMethod } from './request-methods.ts'
import { isOpenaiPath, openaiErrorResponse } from './openai/errors.ts'
import { openaiRoutes } from './routes/openai.ts'
import { openApiRoutes } from './openapi.ts'
import { MalformedJson } from './json.ts'
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
import { FILE_HEADER, tusHeaders, UPLOADS_PATH } from './tus.ts'

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
      const path = pathOf(request)
      Object.assign(set.headers, securityHeaders(path, encrypted), tusHeaders(request, path))
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
      const toResponse = errorFormOf(pathOf(request), failure)
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
  const sentAs = request.method
  const method = overridingMethod(request) ?? sentAs
  if (method !== sentAs) asMethod(request, method)
  const { ip } = request as { ip?: string | undefined }
  noteClient(request, client ?? context.clients.of(ip, (name) => request.headers.get(name)))
  const began = performance.now()
  const fetch = async (each: Request) => app.fetch(each)
  const response = await (method === 'HEAD' ? answerHead(request, fetch) : fetch(request))
  if (request.headers.has('origin')) addVary(response.headers, 'origin')
  context.metrics.answered(request, response.status, (performance.now() - began) / 1_000)
  const path = pathOf(request)
  if (AUDITED.test(path))
    context.audit.note({
      principal: senderOf(request),
      address: addressOf(request),
      action: method,
      path,
      status: response.status,
      request_id: response.headers.get('x-request-id'),
    })
  return method === sentAs ? response : asPost(response)
}

/** Methods that clients of tus may send as POST, for what lies between that knows only GET and POST. */
const OVERRIDING = ['HEAD', 'PATCH', 'DELETE']

/** The method in `X-HTTP-Method-Override` (tus 1.0): of an upload only. */
function overridingMethod(request: Request): string | undefined {
  const method = request.headers.get('x-http-method-override')?.toUpperCase()
  if (method === undefined || request.method !== 'POST' || !OVERRIDING.includes(method)) return undefined
  return pathOf(request).startsWith(`${UPLOADS_PATH}/`) ? method : undefined
}

/** An answer to HEAD may have the length of a body that it does not have; one to POST may not. */
function asPost(response: Response): Response {
  if (response.body === null) response.headers.delete('content-length')
  return response
}

/** How an error of a path is written. */
function errorFormOf(path: string, failure: MuxiError): typeof errorResponse {
  if (isOpenaiPath(path)) return openaiErrorResponse
  return path === '/mcp' && failure instanceof MalformedJson ? parseErrorResponse : errorResponse
}

/** Beside what the handler of a route says itself. */
function addVary(headers: Headers, name: string): void {
  const named = (headers.get('vary') ?? '').toLowerCase().split(/\s*,\s*/)
  if (!named.includes(name) && !named.includes('*')) headers.append('vary', name)
}

/** The path by which a route is found. Parsing the URL again would cost microseconds. */
function pathOf({ url }: Request): string {
  return /^https?:\/\/[^/?#]+(\/[^?#]*)/.exec(url)?.[1] ?? new URL(url).pathname
}

const AUDITED = /^\/(api\/v1|v1|mcp|metrics)(\/|$)/

/** What pages of other origins may send and read besides what browsers always allow. */
const ALLOWED = [
  'authorization, content-type, idempotency-key, if-none-match, last-event-id, x-namespace, mcp-session-id, mcp-protocol-version',
  'tus-resumable, upload-length, upload-metadata, upload-offset, x-requested-with, x-http-method-override',
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
  const [, version] = /^\/api\/(v\d{1,4})(?:\/|$)/.exec(pathOf(request)) ?? []
  if (version === undefined || version === 'v1') return undefined
  return new MuxiError('not_found', `There is no version '${version}' of the API: its paths begin with /api/v1`)
}

/** The methods of a path, when the requested one is not among them. */
function otherMethods(routes: readonly { method: string; path: string }[], request: Request): string[] {
  const path = pathOf(request).replace(/(?<=.)\/$/, '')
  const exact = routes.filter((route) => route.path === path)
  const found = exact.length > 0 ? exact : routes.filter((route) => toPattern(route.path).test(path))
  // HEAD is answered by the route of GET.
  const methods = new Set(found.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))
  return methods.has(request.method) ? [] : [...methods]
}

function toPattern(path: string): RegExp {
  const plain = path.replace(/(?<=.)\/$/, '').replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${plain.replace(/:[a-z_]+/g, '[^/]+')}$`)
}
