// One connection to an MCP server over any transport: capabilities, calls, and its end.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import {
  ElicitRequestSchema,
  ResultSchema,
  ToolListChangedNotificationSchema,
  type ElicitResult,
  type Progress,
} from '@modelcontextprotocol/sdk/types.js'
import { during, raceSignal } from '../contracts/signals.ts'
import { ChildTransport } from './child-transport.ts'
import { addressOf, explain } from './explain.ts'
import { exactStructure } from './exact-structure.ts'
import { McpFailure } from './failure.ts'
import { OpenCalls, type Question } from './open-calls.ts'
import { Patience } from './patience.ts'
import { type McpTarget, withoutSecrets } from './target.ts'
import type { ToolListing } from './tool-list.ts'
import { readPages } from './tool-pages.ts'

const PING_MS = 10_000
const END_SESSION_MS = 2_000
/** Longest delay of a timer: the timeouts of requests are our own, so that a server's error is never taken for one. */
const MAX_TIMER_MS = 2 ** 31 - 1

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
  readonly #calls: OpenCalls
  readonly #address: string | undefined
  #onToolsChanged: () => void = () => {}

  constructor(transport: Transport, { target, version }: { target: McpTarget; version: string }) {
    this.#transport = transport
    this.#secrets = target.secrets
    this.#address = addressOf(target)
    this.#calls = new OpenCalls((text) => this.#clean(text))
    this.closed = this.#over.promise
    this.#client = new Client(
      { name: 'muxi', version },
      { capabilities: { elicitation: { form: { applyDefaults: true }, url: {} } } },
    )
    this.#client.setRequestHandler(ElicitRequestSchema, ({ params }, { signal }) => this.#calls.elicit(params, signal))
    this.#client.onclose = () => {
      this.#isOver = true
      this.#over.resolve(this.#clean(this.#why ?? this.#fault ?? 'the connection was closed'))
    }
    this.#client.onerror = (error) => this.#onError(error)
    this.#client.setNotificationHandler(ToolListChangedNotificationSchema, () => this.#onToolsChanged())
  }

  /** Called only by `connect`. */
  async introduce(signal: AbortSignal): Promise<void> {
    await during(signal, (own) => this.#client.connect(this.#transport, { signal: own, timeout: MAX_TIMER_MS }))
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

  /** Every tool, page by page, within limits. @throws McpFailure */
  async listTools(signal: AbortSignal, limits?: Parameters<typeof readPages>[1]): Promise<ToolListing> {
    if (!this.#client.getServerCapabilities()?.tools) return { tools: [], warnings: [] }
    const listing = await readPages((cursor, ms) => {
      const params = cursor === undefined ? {} : { cursor }
      // A page as the server sent it: an unusual tool must not cost the others.
      return this.#askWithin(ms, signal, (own) =>
        this.#client.request({ method: 'tools/list', params }, ResultSchema, { signal: own, timeout: MAX_TIMER_MS }),
      )
    }, limits)
    return { ...listing, warnings: listing.warnings.map((warning) => this.#clean(warning)) }
  }

  /**
   * One call. When the signal aborts, the request is cancelled at the server.
   * @returns what the server answered, unchecked
   * @throws McpFailure, or the signal's reason
   */
  async callTool(
    name: string,
    parameters: Record<string, unknown>,
    options: CallOptions,
  ): Promise<Record<string, unknown>> {
    const { silence_ms, total_ms, owner, onProgress, onQuestion } = options
    const patience = new Patience(silence_ms, total_ms)
    const signal = AbortSignal.any([options.signal, patience.signal])
    const onprogress = (progress: Progress) => {
      patience.heard()
      onProgress(progress)
    }
    try {
      const result = await this.#ask(signal, (own) =>
        this.#calls.run({ owner, onQuestion, patience }, () =>
          this.#client.request({ method: 'tools/call', params: { name, arguments: parameters } }, ResultSchema, {
            signal: own,
            timeout: MAX_TIMER_MS,
            onprogress,
          }),
        ),
      )
      return exactStructure(result)
    } finally {
      patience.end()
    }
  }

  /** Checks that the server responds. An error is a response, too. @throws McpFailure */
  async ping(signal: AbortSignal): Promise<void> {
    try {
      await this.#askWithin(PING_MS, signal, (own) => this.#client.ping({ signal: own, timeout: MAX_TIMER_MS }))
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

  async #askWithin<T>(ms: number, signal: AbortSignal, request: (own: AbortSignal) => Promise<T>): Promise<T> {
    const patience = new Patience(ms, ms)
    try {
      return await this.#ask(AbortSignal.any([signal, patience.signal]), request)
    } finally {
      patience.end()
    }
  }

  #explain(error: unknown): McpFailure {
    const ended = this.#isOver ? (this.#why ?? this.#fault ?? 'the connection was lost') : undefined
    return explain(error, { address: this.#address, ended, clean: (text) => this.#clean(text) })
  }

  /** An error outside of a response: a ping checks whether the server is still there. */
  #onError(error: Error): void {
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
