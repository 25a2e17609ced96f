// One connection to an MCP server over any transport: capabilities, calls, and its end.
import { AsyncLocalStorage } from 'node:async_hooks'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { StreamableHTTPClientTransport, StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { FetchLike, Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import {
  CallToolResultSchema,
  ElicitRequestSchema,
  ErrorCode,
  McpError,
  ResultSchema,
  ToolListChangedNotificationSchema,
  type CallToolResult,
  type ElicitRequest,
  type ElicitResult,
  type Progress,
} from '@modelcontextprotocol/sdk/types.js'
import { shorten } from '../contracts/shorten.ts'
import { during, raceSignal } from '../contracts/signals.ts'
import { authorizedFetch, type TokenSource } from './authorized-fetch.ts'
import { boundedFetch } from './bounded-fetch.ts'
import { ChildTransport } from './child-transport.ts'
import { McpFailure } from './failure.ts'
import { Patience } from './patience.ts'
import { type McpTarget, withoutSecrets } from './target.ts'
import { readTools, type ToolListing } from './tool-list.ts'

/** Limits of a listing: a server that invents cursors would never end. */
const MAX_TOOLS = 1_000
const MAX_PAGES = 100
const PAGE_MS = 30_000
const LISTING_MS = 60_000
const PING_MS = 10_000
const END_SESSION_MS = 2_000

export interface ConnectOptions {
  target: McpTarget
  /** For servers by URL: checks the address of each request. */
  fetch: FetchLike
  /** For servers by URL without a configured `Authorization`. */
  tokens?: TokenSource
  version: string
  /** From the start of the program to the end of initialization, in milliseconds. */
  connect_ms: number
  max_message_bytes: number
  signal: AbortSignal
}

export interface CallOptions {
  signal: AbortSignal
  /** Without a response or progress, in milliseconds. */
  silence_ms: number
  /** In total, in milliseconds. */
  total_ms: number
  /** The user that the call is made for. */
  owner: string
  onProgress: (progress: Progress) => void
  /** Asks a user the server's question; the call's deadline is paused meanwhile. */
  onQuestion?: (question: Question, signal: AbortSignal) => Promise<ElicitResult>
}

/** A question of a server (elicitation): a form, or an action at a URL. */
export type Question = { message: string; schema: Record<string, unknown> } | { message: string; url: string }

/** A running call. */
interface OpenCall {
  ask: (question: Question, signal: AbortSignal) => Promise<ElicitResult>
  /** The user that it is made for: a question that may belong to another user's call is refused. */
  owner: string
}

/** The call whose response stream a message arrived in, if the transport separates them. */
const current = new AsyncLocalStorage<OpenCall>()
/** Longest delay of a timer. */
const MAX_TIMER_MS = 2 ** 31 - 1
/** Concurrent questions in one call. */
const MAX_QUESTIONS = 10
const MAX_QUESTION = 4_000

/** Connects and initializes. @throws McpFailure `unsent`, or the signal's reason */
export async function connect(options: ConnectOptions): Promise<McpConnection> {
  const { target, signal, connect_ms } = options
  const patience = AbortSignal.timeout(connect_ms)
  const either = AbortSignal.any([signal, patience])
  const kinds =
    'command' in target
      ? ['stdio' as const]
      : target.transport === 'auto'
        ? ['http' as const, 'sse' as const]
        : [target.transport]
  for (const [index, kind] of kinds.entries()) {
    let refused: McpFailure | undefined
    const transport = openTransport(options, kind, (failure) => {
      refused = failure
    })
    const connection = new McpConnection(transport, options)
    try {
      await raceSignal(connection.introduce(either, connect_ms), either)
      return connection
    } catch (error) {
      await connection.close()
      signal.throwIfAborted()
      if (refused) throw refused
      // A server with only the older transport answers the newer one like this.
      const older = error instanceof StreamableHTTPError && [400, 404, 405].includes(error.code ?? 0)
      if (older && index < kinds.length - 1) continue
      throw connection.toFailure(
        error,
        patience.aborted ? `it was not ready within ${connect_ms / 1_000} s` : undefined,
      )
    }
  }
  throw new McpFailure('unsent', 'there is no way to reach it')
}

function openTransport(
  { target, fetch, tokens, max_message_bytes }: ConnectOptions,
  kind: 'stdio' | 'http' | 'sse',
  onRefused: (failure: McpFailure) => void,
): Transport {
  if ('command' in target) return new ChildTransport({ ...target, max_message_bytes })
  const bounded = boundedFetch(fetch, max_message_bytes)
  const options = {
    fetch: tokens ? authorizedFetch(bounded, tokens, onRefused) : bounded,
    requestInit: { headers: target.headers },
    // The fetch checks every step of a redirect.
    redirectPolicy: 'same-origin' as const,
  }
  const url = new URL(target.url)
  return kind === 'sse' ? new SSEClientTransport(url, options) : new StreamableHTTPClientTransport(url, options)
}

export class McpConnection {
  /** Resolves when it has closed, with the reason. */
  readonly closed: Promise<string>
  readonly #client: Client
  readonly #transport: Transport
  readonly #secrets: readonly string[]
  readonly #over = Promise.withResolvers<string>()
  #isOver = false
  #isChecking = false
  #why: string | undefined
  readonly #calls = new Set<OpenCall>()
  #onToolsChanged: () => void = () => {}

  constructor(transport: Transport, { target, version }: Pick<ConnectOptions, 'target' | 'version'>) {
    this.#transport = transport
    this.#secrets = target.secrets
    this.closed = this.#over.promise
    this.#client = new Client(
      { name: 'muxi', version },
      { capabilities: { elicitation: { form: { applyDefaults: true }, url: {} } } },
    )
    this.#client.setRequestHandler(ElicitRequestSchema, ({ params }, { signal }) => this.#elicit(params, signal))
    this.#client.onclose = () => {
      this.#isOver = true
      this.#over.resolve(this.#clean(this.#why ?? this.#fault ?? 'the connection was closed'))
    }
    this.#client.onerror = (error) => this.#hear(error)
    this.#client.setNotificationHandler(ToolListChangedNotificationSchema, () => this.#onToolsChanged())
  }

  /** Called only by `connect`. */
  async introduce(signal: AbortSignal, ms: number): Promise<void> {
    await during(signal, (own) => this.#client.connect(this.#transport, { signal: own, timeout: ms }))
  }

  get pid(): number | undefined {
    return this.#transport instanceof ChildTransport ? this.#transport.pid : undefined
  }

  get sessionId(): string | undefined {
    return this.#transport.sessionId
  }

  /** The last output of its program on standard error. */
  get stderrTail(): string {
    return this.#transport instanceof ChildTransport ? this.#clean(this.#transport.stderr.text) : ''
  }

  /** Name and version that it reports. */
  get server(): { name: string; version: string } | undefined {
    return this.#client.getServerVersion()
  }

  onToolsChanged(listener: () => void): void {
    this.#onToolsChanged = listener
  }

  /**
   * Every tool, page by page, within limits. Once there is a page, what was read stays, and a warning says why the rest is missing.
   * @throws McpFailure
   */
  async listTools(signal: AbortSignal): Promise<ToolListing> {
    const listing: ToolListing = { tools: [], warnings: [] }
    if (!this.#client.getServerCapabilities()?.tools) return listing
    const end = (why: string) => {
      listing.warnings.push(`Its list of tools is not read to its end: ${this.#clean(why)}`)
      return listing
    }
    const deadline = performance.now() + LISTING_MS
    const seen = new Set<string>()
    let cursor: string | undefined
    for (let page = 1; ; page += 1) {
      let result: Record<string, unknown>
      try {
        result = await this.#listPage(cursor, Math.min(PAGE_MS, deadline - performance.now()), signal)
      } catch (error) {
        const isOver = error instanceof McpFailure && (error.kind === 'answered' || error.kind === 'timeout')
        if (page === 1 || !isOver) throw error
        return end(`page ${page} failed: ${error.message}`)
      }
      const { tools, warnings } = readTools(result['tools'])
      listing.tools.push(...tools)
      listing.warnings.push(...warnings)
      const next = result['nextCursor'] ?? ''
      if (listing.tools.length > MAX_TOOLS || (listing.tools.length === MAX_TOOLS && next !== '')) {
        listing.tools.length = MAX_TOOLS
        return end(`it has more than ${MAX_TOOLS} tools`)
      }
      if (next === '') return listing
      if (typeof next !== 'string') return end(`'nextCursor' must be a string, got a ${typeof next}`)
      if (seen.has(next)) return end(`'nextCursor' must be new on each page, got '${shorten(next)}' again`)
      if (page === MAX_PAGES) return end(`it has more than ${MAX_PAGES} pages`)
      if (performance.now() >= deadline) return end(`it takes longer than ${LISTING_MS / 1_000} s`)
      seen.add(next)
      cursor = next
    }
  }

  /** A page as the server sent it: an unusual tool must not cost the others. */
  #listPage(cursor: string | undefined, timeout: number, signal: AbortSignal): Promise<Record<string, unknown>> {
    const params = cursor === undefined ? {} : { cursor }
    return this.#ask(signal, (own) =>
      this.#client.request({ method: 'tools/list', params }, ResultSchema, { signal: own, timeout }),
    )
  }

  /** One call. When the signal aborts, the request is cancelled at the server. @throws McpFailure, or the signal's reason */
  async callTool(name: string, parameters: Record<string, unknown>, options: CallOptions): Promise<CallToolResult> {
    const { silence_ms, total_ms, owner, onProgress, onQuestion } = options
    const patience = new Patience(silence_ms, total_ms)
    const over = new AbortController()
    const signal = AbortSignal.any([options.signal, patience.signal])
    let questions = 0
    const call: OpenCall = {
      owner,
      ask: async (question, asked) => {
        if (!onQuestion || questions === MAX_QUESTIONS) return { action: 'cancel' }
        questions += 1
        try {
          return await patience.pause(() => onQuestion(question, AbortSignal.any([asked, over.signal])))
        } finally {
          questions -= 1
        }
      },
    }
    this.#calls.add(call)
    try {
      return await this.#ask(signal, (own) =>
        current.run(call, () =>
          this.#client.request(
            { method: 'tools/call', params: { name, arguments: parameters } },
            CallToolResultSchema,
            {
              signal: own,
              timeout: MAX_TIMER_MS,
              onprogress: (progress) => {
                patience.heard()
                onProgress(progress)
              },
            },
          ),
        ),
      )
    } finally {
      this.#calls.delete(call)
      patience.end()
      over.abort()
    }
  }

  /**
   * A question belongs to the call whose response stream it arrives in. Stdio has one stream: then all running calls must
   * have the same owner.
   */
  async #elicit(params: ElicitRequest['params'], signal: AbortSignal): Promise<ElicitResult> {
    const [first, ...others] = this.#calls
    const call = current.getStore() ?? (others.every(({ owner }) => owner === first?.owner) ? first : undefined)
    const question = questionOf(params)
    if (!call || !this.#calls.has(call) || !question) return { action: 'cancel' }
    return call.ask({ ...question, message: this.#clean(question.message) }, signal)
  }

  /** Checks that the server responds. An error is a response, too. @throws McpFailure */
  async ping(signal: AbortSignal): Promise<void> {
    try {
      await this.#ask(signal, (own) => this.#client.ping({ signal: own, timeout: PING_MS }))
    } catch (error) {
      if (!(error instanceof McpFailure && error.kind === 'answered' && error.status === undefined)) throw error
    }
  }

  /** Closes the connection, and stops its program. */
  async close(why?: string): Promise<void> {
    this.#why ??= why
    const transport = this.#transport
    if (transport instanceof StreamableHTTPClientTransport && transport.sessionId !== undefined && !this.#isOver) {
      // Best effort: the server may be gone.
      await raceSignal(transport.terminateSession(), AbortSignal.timeout(END_SESSION_MS)).catch(() => undefined)
    }
    await transport.close().catch(() => undefined)
    // A transport that never started does not emit its end.
    this.#isOver = true
    this.#over.resolve(this.#clean(this.#why ?? 'the connection was closed'))
  }

  /** The failure to connect, with a message without credentials. */
  toFailure(error: unknown, instead?: string): McpFailure {
    const failure = this.#explain(error)
    const said = this.#transport instanceof ChildTransport ? this.#transport.stderr.last : ''
    const why =
      instead === undefined ? (this.#fault ?? failure.message) : said === '' ? instead : `${instead}; it wrote: ${said}`
    return new McpFailure('unsent', this.#clean(why), { status: failure.status })
  }

  get #fault(): string | undefined {
    return this.#transport instanceof ChildTransport ? this.#transport.fault : undefined
  }

  async #ask<T>(signal: AbortSignal, request: (own: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted()
    if (this.#isOver) throw new McpFailure('unsent', 'the connection is over')
    try {
      return await during(signal, request)
    } catch (error) {
      signal.throwIfAborted()
      const failure = this.#explain(error)
      // The session has expired. Some servers respond with 404, as specified, and some with 400.
      const hasForgotten = failure.status === 404 || (failure.status === 400 && /session/i.test(String(error)))
      if (hasForgotten && this.sessionId !== undefined) {
        void this.close('the server has forgotten the session')
        throw new McpFailure('unsent', 'the server has forgotten the session')
      }
      throw failure
    }
  }

  #explain(error: unknown): McpFailure {
    const message = this.#clean(error instanceof Error ? error.message : String(error))
    if (error instanceof McpFailure) return error
    if (error instanceof McpError) {
      // Servers use the codes of these two for failures of their own.
      if (error.code === ErrorCode.RequestTimeout && isOurTimeout(error))
        return new McpFailure('timeout', 'it did not answer in time')
      if (error.code === ErrorCode.ConnectionClosed && this.#isOver)
        return new McpFailure('lost', this.#clean(this.#why ?? this.#fault ?? 'the connection was lost'))
      return new McpFailure('answered', message.replace(/^MCP error -?\d+: /, ''))
    }
    const status = statusOf(error)
    if (status !== undefined) {
      const kind = status >= 500 ? 'lost' : 'answered'
      return new McpFailure(kind, `it answered ${status} on HTTP`, { status })
    }
    const code = causeOf(error)
    if (code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EAI_AGAIN')
      return new McpFailure('unsent', `it cannot be reached (${code})`)
    if (error instanceof TypeError && error.cause instanceof Error)
      return new McpFailure('lost', this.#clean(`the connection broke (${code ?? error.cause.message})`))
    return new McpFailure('lost', message)
  }

  /** An error outside of a response: a ping checks whether the server is still there. */
  #hear(error: Error): void {
    if (this.#isOver || this.#transport instanceof ChildTransport) return
    if (
      this.#transport instanceof SSEClientTransport &&
      error.name === 'Error' &&
      error.message.startsWith('SSE error')
    ) {
      void this.close(`its stream of events broke: ${error.message}`)
      return
    }
    if (!error.message.startsWith('SSE stream disconnected')) return
    if (this.#isChecking) return
    this.#isChecking = true
    this.ping(AbortSignal.timeout(PING_MS))
      .catch(() => this.close('it does not answer any more'))
      .finally(() => {
        this.#isChecking = false
      })
  }

  #clean(text: string): string {
    return withoutSecrets(text, this.#secrets)
  }
}

/** Undefined for questions that cannot be answered. */
function questionOf(params: ElicitRequest['params']): Question | undefined {
  const message = params.message.slice(0, MAX_QUESTION)
  if (params.mode === 'url') {
    const { protocol } = URL.canParse(params.url) ? new URL(params.url) : {}
    return protocol === 'https:' || protocol === 'http:' ? { message, url: params.url } : undefined
  }
  return { message, schema: params.requestedSchema }
}

function isOurTimeout({ data }: McpError): boolean {
  return typeof data === 'object' && data !== null && ('timeout' in data || 'maxTotalTimeout' in data)
}

function statusOf(error: unknown): number | undefined {
  const { code } = error as { code?: unknown }
  if (typeof code === 'number' && code >= 400 && code < 600) return code
  const told = /\(HTTP (\d{3})\)/.exec((error as Error).message ?? '')
  return told ? Number(told[1]) : undefined
}

/** The system's error code, which `fetch` nests in causes. */
function causeOf(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException
    if (typeof code === 'string') return code
    if (at instanceof AggregateError && at.errors[0] instanceof Error) at.cause ??= at.errors[0]
  }
  return undefined
}
