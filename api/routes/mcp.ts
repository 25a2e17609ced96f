// /mcp: agents as the tools of an MCP server, over Streamable HTTP. Stateless: any process can answer each request.
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import {
  CallToolRequestSchema,
  CancelledNotificationSchema,
  DEFAULT_NEGOTIATED_PROTOCOL_VERSION,
  ErrorCode,
  InitializeRequestSchema,
  isJSONRPCNotification,
  isJSONRPCRequest,
  JSONRPCMessageSchema,
  type JSONRPCMessage,
  type JSONRPCRequest,
  type RequestId,
  SUPPORTED_PROTOCOL_VERSIONS,
} from '@modelcontextprotocol/sdk/types.js'
import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { MuxiError } from '../../contracts/failures.ts'
import { JsonRpcSchema, McpMessageSchema } from '../../contracts/schemas/agent-tool.ts'
import { ErrorSchema } from '../../contracts/schemas/errors.ts'
import { eventSchema } from '../../contracts/schemas/events.ts'
import { getAgentOrThrow } from '../../db/queries/agents.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { toMuxiError } from '../errors.ts'
import { authenticated, bodyOf } from '../plugin.ts'
import { Content, noBody, replies, streamOf } from '../replies.ts'
import type { ApiContext } from '../services/context.ts'
import { beginCall, cancelCall, findCall, refusalOf, resultOf, tellCall, type McpCall } from '../services/mcp-call.ts'
import { beginMcpSession, getMcpSessionOrThrow, type McpSession } from '../services/mcp-session.ts'
import { AgentsWatch, createMcpServer } from '../services/mcp-tools.ts'
import { framesResponse } from '../sse.ts'

/** What a call may be answered in. */
const BOTH = ['application/json', 'text/event-stream']
/** Longest textual request id or progress token, in characters. */
const MAX_ID = 128
/** Reconnect delay of clients (`retry`), in milliseconds. */
const RETRY_MS = 1_000
/** From this version on clients accept an event without data, which gives them an id to resume from. */
const PRIMED_SINCE = '2025-11-25'

const header = (name: string, schema: object = Type.String()) => ({ name, in: 'header', required: false, schema })
const SESSION_HEADERS = [
  header('mcp-session-id'),
  header('mcp-protocol-version', { type: 'string', enum: SUPPORTED_PROTOCOL_VERSIONS }),
]

const answered = new Content('The answer, or the messages of a call and its result', {
  'application/json': JsonRpcSchema,
  'text/event-stream': eventSchema('McpEvent', { message: JsonRpcSchema }),
})

const refused = new Content('`bad_request`, or the JSON-RPC error of a body that is not JSON', {
  'application/json': Type.Union([ErrorSchema, JsonRpcSchema]),
})

export function mcpRoutes(context: ApiContext, version: string) {
  const watch = new AgentsWatch(context.storage.db)
  return new Elysia({ tags: ['mcp'] })
    .use(authenticated(context))
    .post(
      '/mcp',
      async ({ principal, body, request }) => {
        checkHeaders(request, BOTH)
        const session = findSession(context, principal, request)
        const message = readMessage(body)
        if (isJSONRPCNotification(message)) {
          const cancelled = CancelledNotificationSchema.safeParse(message).data?.params.requestId
          if (session && cancelled !== undefined) await cancelCall(context, principal, session, cancelled)
          return new Response(null, { status: 202 })
        }
        // The server sends no requests to clients, so there are no responses to handle.
        if (!isJSONRPCRequest(message)) return new Response(null, { status: 202 })
        if (message.method !== 'tools/call') return answer(context, principal, version, request, message)
        const call = await readCall(context, message)
        if ('error' in call) return Response.json({ jsonrpc: '2.0', id: message.id, error: call.error })
        if (context.auth) await context.rateLimiter.admitOrThrow(principal, 'chat')
        return framesResponse(context, principal, request, (signal) => {
          // Started even if the client disconnects.
          const begun = beginCall(context, principal, session, call, call.agent_id, call.given)
          begun.catch(() => {})
          return tellBegun(context, principal, session, call, begun, versionOf(request) >= PRIMED_SINCE, signal)
        })
      },
      {
        ...replies(
          { 200: answered, 202: noBody('A notification, or a response'), 400: refused },
          'not_found',
          'conflict',
        ),
        scope: 'chat',
        detail: {
          summary: 'MCP over Streamable HTTP: one JSON-RPC message',
          parameters: [...SESSION_HEADERS],
          requestBody: bodyOf({ 'application/json': McpMessageSchema }),
        },
      },
    )
    .get(
      '/mcp',
      ({ principal, request }) => {
        checkHeaders(request, ['text/event-stream'])
        const session = findSession(context, principal, request)
        if (!session) throw new MuxiError('bad_request', "Cannot open a stream: 'Mcp-Session-Id' must be given")
        const cursor = readCursor(request.headers.get('last-event-id'))
        return framesResponse(context, principal, request, (signal) =>
          cursor ? tellAgain(context, principal, session, cursor, signal) : tellChanges(watch, signal),
        )
      },
      {
        ...replies({ 200: streamOf(eventSchema('McpEvent', { message: JsonRpcSchema })) }, 'bad_request', 'not_found'),
        scope: 'chat',
        detail: {
          summary: 'MCP over Streamable HTTP: what comes unasked, or the rest of a call after Last-Event-ID',
          parameters: [...SESSION_HEADERS, header('last-event-id')],
        },
      },
    )
}

/** Everything except calls, by the SDK: initialization, tool list, pings, and errors for unknown methods. */
async function answer(
  context: ApiContext,
  principal: Principal,
  version: string,
  request: Request,
  message: JSONRPCRequest,
): Promise<Response> {
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
  const server = createMcpServer(context, principal, version)
  await server.connect(transport)
  const headers = new Headers(request.headers)
  // The transport knows no wildcards.
  headers.set('accept', BOTH.join(', '))
  const plain = new Request(request.url, { method: 'POST', headers })
  try {
    const response = await transport.handleRequest(plain, { parsedBody: message })
    const introduced = InitializeRequestSchema.safeParse(message).data
    if (introduced && response.ok) {
      const elicits = introduced.params.capabilities.elicitation !== undefined
      response.headers.set('mcp-session-id', beginMcpSession(context.storage.box, principal, elicits))
    }
    return response
  } finally {
    await server.close()
  }
}

/** The events of a call that was just started. */
async function* tellBegun(
  context: ApiContext,
  principal: Principal,
  session: McpSession | undefined,
  call: McpCall,
  begun: ReturnType<typeof beginCall>,
  primed: boolean,
  signal: AbortSignal,
): AsyncGenerator<string> {
  if (session && primed) yield `id: ${cursorOf(call, 0)}\nretry: ${RETRY_MS}\ndata: \n\n`
  try {
    const turn = await begun
    // Without a session a client cannot resume, so there is no event id.
    for await (const { event, message } of tellCall(context, principal, turn, call, 0, signal))
      yield frame(message, session && cursorOf(call, event))
  } catch (error) {
    yield frame(resultOf(call.id, refusalOf(toMuxiError(error, context.log))), undefined)
  }
}

/** The events of a resumed call, after the client's last event id. */
async function* tellAgain(
  context: ApiContext,
  principal: Principal,
  session: McpSession,
  { call, after }: Cursor,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const turn = await findCall(context, principal, session, call.id)
  if (!turn) {
    const lost = new MuxiError('not_found', 'The call did not arrive: please make it again')
    return yield frame(resultOf(call.id, refusalOf(lost)), undefined)
  }
  for await (const { event, message } of tellCall(context, principal, turn, call, after, signal))
    yield frame(message, cursorOf(call, event))
}

async function* tellChanges(watch: AgentsWatch, signal: AbortSignal): AsyncGenerator<string> {
  for await (const _ of watch.changes(signal))
    yield frame({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' }, undefined)
}

function frame(message: JSONRPCMessage, id: string | undefined): string {
  return `event: message\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(message)}\n\n`
}

/** A client's position in a call: enough to resume in any process. */
interface Cursor {
  call: McpCall
  after: number
}

function cursorOf({ id, progress_token }: McpCall, event: number): string {
  return Buffer.from(JSON.stringify([event, id, progress_token])).toString('base64url')
}

/** @throws MuxiError bad_request */
function readCursor(text: string | null): Cursor | undefined {
  if (text === null || text === '') return undefined
  let read: unknown
  try {
    read = JSON.parse(Buffer.from(text, 'base64url').toString())
  } catch {
    // not one of this server's ids
  }
  const [after, id, token] = Array.isArray(read) ? (read as unknown[]) : []
  if (Number.isSafeInteger(after) && isShort(id) && (token === null || isShort(token)))
    return { after: Number(after), call: { id, progress_token: token ?? undefined } }
  throw new MuxiError('bad_request', "Cannot resume: 'Last-Event-ID' must be the id of an event of this server")
}

function isShort(value: unknown): value is RequestId {
  return typeof value === 'string' ? value.length <= MAX_ID : Number.isSafeInteger(value)
}

type ReadCall = (McpCall & { agent_id: string; given: unknown }) | { error: { code: ErrorCode; message: string } }

async function readCall({ storage }: ApiContext, message: JSONRPCRequest): Promise<ReadCall> {
  const params = CallToolRequestSchema.safeParse(message).data?.params
  if (!params) return { error: { code: ErrorCode.InvalidParams, message: "Cannot call: 'params' must name a tool" } }
  const progress_token = params._meta?.progressToken
  if (!isShort(message.id) || !(progress_token === undefined || isShort(progress_token))) {
    const words = `Cannot call: 'id' and 'progressToken' must be whole numbers or at most ${MAX_ID} characters`
    return { error: { code: ErrorCode.InvalidRequest, message: words } }
  }
  try {
    await getAgentOrThrow(storage.db, params.name)
  } catch (error) {
    if (!(error instanceof MuxiError)) throw error
    const known = "'name' must be one of the tools that tools/list gives"
    return {
      error: { code: ErrorCode.InvalidParams, message: `Cannot call '${params.name.slice(0, MAX_ID)}': ${known}` },
    }
  }
  return { id: message.id, progress_token, agent_id: params.name, given: params.arguments ?? {} }
}

/** @throws MuxiError bad_request */
function readMessage(body: unknown): JSONRPCMessage {
  const message = JSONRPCMessageSchema.safeParse(body).data
  if (message) return message
  const many = Array.isArray(body) ? ', and MCP has no batches any more' : ''
  throw new MuxiError('bad_request', `Cannot read the request: its body must be one JSON-RPC message${many}`)
}

/** @throws MuxiError bad_request */
function checkHeaders(request: Request, wanted: string[]): void {
  const accepted = acceptedBy(request.headers.get('accept') ?? '')
  if (!wanted.every(accepted))
    throw new MuxiError('bad_request', `Cannot answer: 'Accept' must name ${wanted.join(' and ')}`)
  const version = request.headers.get('mcp-protocol-version')
  if (version !== null && !SUPPORTED_PROTOCOL_VERSIONS.includes(version)) {
    const known = SUPPORTED_PROTOCOL_VERSIONS.join(', ')
    throw new MuxiError('bad_request', `Cannot answer: 'MCP-Protocol-Version' must be one of ${known}`)
  }
}

/** Whether a media type matches one of the ranges of `Accept`, such as `text/*` (RFC 9110, 12.5.1). */
function acceptedBy(header: string): (type: string) => boolean {
  const ranges = header.split(',').flatMap((each) => {
    const [range = '', ...parameters] = each.toLowerCase().split(';')
    return parameters.some((parameter) => /^\s*q=0(\.0*)?\s*$/.test(parameter)) ? [] : [range.trim()]
  })
  return (type) => ['*/*', `${type.split('/')[0]}/*`, type].some((range) => ranges.includes(range))
}

function versionOf(request: Request): string {
  return request.headers.get('mcp-protocol-version') ?? DEFAULT_NEGOTIATED_PROTOCOL_VERSION
}

/** @throws MuxiError not_found when the session belongs to another client or has ended */
function findSession({ storage }: ApiContext, principal: Principal, request: Request): McpSession | undefined {
  const id = request.headers.get('mcp-session-id')
  return id === null ? undefined : getMcpSessionOrThrow(storage.box, principal, id)
}
