// The HTTP application: every route, one way for requests in and one way for errors out.
import { openapi } from '@elysiajs/openapi'
import { Elysia } from 'elysia'
import { newId } from '../contracts/ids.ts'
import { codecRoutes } from './codec.ts'
import { errorResponse, toMuxiError } from './errors.ts'
import type { Origins } from './origins.ts'
import { addressOf, methodNotAllowed, senderOf } from './plugin.ts'
import { knowRoutes } from './request-checks.ts'
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
import { mcpRoutes } from './routes/mcp.ts'
import { mcpServerRoutes } from './routes/mcp-servers.ts'
import { memoryRoutes } from './routes/memory.ts'
import { oauthRoutes } from './routes/oauth.ts'
import { searchRoutes } from './routes/search.ts'
import { spendingRoutes } from './routes/spending.ts'
import { statusRoutes } from './routes/status.ts'
import { systemRoutes } from './routes/system.ts'
import { turnRoutes } from './routes/turns.ts'
import { userRoutes } from './routes/users.ts'
import { webRoutes } from './routes/web.ts'
import type { ApiContext } from './services/context.ts'
import { sessionRoutes } from './session.ts'
import { temporalUiRoutes } from './temporal-ui.ts'

export function createApp(context: ApiContext, origins: Origins, version: string) {
  const app = new Elysia({ normalize: false })
    .onRequest(({ request, set }) => {
      set.headers['x-request-id'] = newId('req')
      const origin = request.headers.get('origin')
      origins.check(request.headers.get('host'), origin)
      if (origin === null) return undefined
      Object.assign(set.headers, corsHeaders(origins, origin))
      return request.method === 'OPTIONS' ? preflight(corsHeaders(origins, origin)) : undefined
    })
    .onError(({ error, code, request, set }) => {
      const allowed = code === 'NOT_FOUND' ? otherMethods(app.routes, request) : []
      const failure = allowed.length > 0 ? methodNotAllowed(allowed) : toMuxiError(error, context.log)
      const response = errorResponse(failure, String(set.headers['x-request-id']))
      if (allowed.length > 0) set.headers['allow'] = allowed.join(', ')
      Object.assign(set.headers, response.headers)
      set.status = response.status
      return response.body
    })
    .use(
      openapi({
        // The API reference page is served locally: it needs no network.
        provider: null,
        specPath: '/openapi.json',
        documentation: {
          info: { title: 'muxi', version, description: 'Agents that people can leave alone' },
          components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
          security: [{ key: [] }],
        },
      }),
    )
    .use(systemRoutes(context))
    .use(webRoutes())
    .use(codecRoutes(context, origins))
    .use(sessionRoutes(context))
    .use(oauthRoutes(context))
    .use(temporalUiRoutes(context, origins))
    .use(mcpRoutes(context, version))
    .group('/api/v1', (api) =>
      api
        .use(agentRoutes(context))
        .use(audioRoutes(context))
        .use(chatRoutes(context))
        .use(turnRoutes(context))
        .use(approvalRoutes(context))
        .use(eventRoutes(context))
        .use(conversationRoutes(context))
        .use(searchRoutes(context))
        .use(memoryRoutes(context))
        .use(userRoutes(context))
        .use(fileRoutes(context))
        .use(jobRoutes(context))
        .use(knowledgeRoutes(context))
        .use(mcpServerRoutes(context))
        .use(keyRoutes(context))
        .use(auditRoutes(context))
        .use(budgetRoutes(context))
        .use(spendingRoutes(context))
        .use(statusRoutes(context, version)),
    )
  knowRoutes(app.routes)
  return app
}

/** Answers a request, and notes it in the audit. */
export async function answer(context: ApiContext, app: ReturnType<typeof createApp>, request: Request) {
  const response = await app.fetch(request)
  const { pathname: path } = new URL(request.url)
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

const AUDITED = /^\/(api\/v1|mcp)(\/|$)/

/** Pages of configured origins may send the session cookie. Any other page that gets here must have its own key. */
function corsHeaders(origins: Origins, origin: string): Record<string, string> {
  return {
    ...(origins.isConfigured(origin)
      ? { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true' }
      : { 'access-control-allow-origin': '*' }),
    'access-control-expose-headers': 'x-request-id, retry-after, ratelimit, ratelimit-policy, mcp-session-id',
    vary: 'origin',
  }
}

function preflight(cors: Record<string, string>): Response {
  return new Response(null, {
    status: 204,
    headers: {
      ...cors,
      'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE',
      'access-control-allow-headers':
        'authorization, content-type, idempotency-key, last-event-id, x-namespace, mcp-session-id, mcp-protocol-version',
      'access-control-max-age': '600',
    },
  })
}

/** The allowed methods of a path, when the requested one is not among them. */
function otherMethods(routes: readonly { method: string; path: string }[], request: Request): string[] {
  const path = new URL(request.url).pathname.replace(/(?<=.)\/$/, '')
  const matches = routes.filter((route) => toPattern(route.path).test(path)).map(({ method }) => method)
  return matches.includes(request.method) ? [] : [...new Set(matches)]
}

function toPattern(path: string): RegExp {
  const plain = path.replace(/(?<=.)\/$/, '').replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${plain.replace(/:[a-z_]+/g, '[^/]+')}$`)
}
