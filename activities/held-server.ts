// One MCP server in the hands of this worker: connected, asked for its tools, watched, and connected again for as long as it is ours.
import { setTimeout as delay } from 'node:timers/promises'
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { Logger } from 'pino'
import { raceSignal } from '../contracts/signals.ts'
import { changeServer, putTools, type Hold } from '../db/queries/mcp.ts'
import type { Db } from '../db/schema.ts'
import { connect, type CallOptions, type McpConnection } from '../mcp/connection.ts'
import { McpFailure } from '../mcp/failure.ts'
import { targetOf, withoutSecrets, type McpTarget } from '../mcp/target.ts'
import { offeredTools } from '../mcp/tools.ts'

/** How long to wait after the first failure, and at most, in milliseconds; in between twice as long each time, and a part of it by chance. */
const FIRST_PAUSE_MS = 500
const MAX_PAUSE_MS = 30_000
/** A connection that lasted so long begins the pauses anew. */
const SOUND_MS = 30_000
const PING_EVERY_MS = 30_000
/** Between two listings that the server itself asks for. */
const LISTING_PAUSE_MS = 1_000
const DEFAULT_CONNECT_S = 60

export interface HolderOptions {
  /** For servers reached by URL. */
  fetch: FetchLike
  /** Programs that servers made over the API may be started with; `*` is any. */
  commands: readonly string[]
  version: string
  max_message_bytes: number
  log: Logger
}

export class HeldServer {
  readonly hold: Hold
  readonly target: McpTarget
  readonly #db: Db
  readonly #options: HolderOptions
  #connection: McpConnection | undefined
  #connected = Promise.withResolvers<McpConnection>()
  #active = 0
  #lastActivity: string | null = null
  #isFlushed = true

  constructor(db: Db, hold: Hold, options: HolderOptions) {
    this.#db = db
    this.hold = hold
    this.#options = options
    this.target = targetOf(hold.server, hold.secrets)
  }

  /** Stays connected until the signal aborts; then the connection, and the program with it, is ended. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0
    let connections = 0
    for (;;) {
      const startedAt = Date.now()
      const connection = await this.#begin(connections > 0, signal)
      if (connection) {
        connections += 1
        const why = await this.#watch(connection, signal)
        if (Date.now() - startedAt > SOUND_MS) failures = 0
        await this.#lose(why, connection)
      }
      failures += 1
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), MAX_PAUSE_MS)
      await delay(pause * (0.5 + Math.random() / 2), undefined, { signal })
    }
  }

  /** The connection, once there is one, or a failure after so many milliseconds. @throws McpFailure, or the signal's reason */
  async connected(ms: number, signal: AbortSignal): Promise<McpConnection> {
    if (this.#connection) return this.#connection
    const patience = AbortSignal.timeout(ms)
    try {
      return await raceSignal(this.#connected.promise, AbortSignal.any([signal, patience]))
    } catch (error) {
      if (patience.aborted && !signal.aborted) throw new McpFailure('unsent', 'it is not connected')
      throw error
    }
  }

  async call(
    connection: McpConnection,
    tool: string,
    parameters: Record<string, unknown>,
    options: CallOptions,
  ): Promise<CallToolResult> {
    this.#count(1)
    try {
      return await connection.callTool(tool, parameters, options)
    } finally {
      this.#count(-1)
    }
  }

  get active(): number {
    return this.#active
  }

  /** A text of the server without the credentials it was given. */
  clean(text: string): string {
    return withoutSecrets(text, this.target.secrets)
  }

  /** Brings the numbers in the row up to date. */
  async flush(): Promise<void> {
    if (this.#isFlushed) return
    this.#isFlushed = true
    await changeServer(this.#db, this.hold, { active_requests: this.#active, last_activity_at: this.#lastActivity })
  }

  #count(change: 1 | -1): void {
    this.#active += change
    this.#lastActivity = new Date().toISOString()
    this.#isFlushed = false
  }

  async #begin(again: boolean, signal: AbortSignal): Promise<McpConnection | undefined> {
    const { agent_id, name, server } = this.hold
    const { fetch, version, max_message_bytes, log } = this.#options
    let connection: McpConnection | undefined
    try {
      this.#checkCommand()
      const connect_ms = (server.timeouts?.connect ?? DEFAULT_CONNECT_S) * 1_000
      connection = await connect({ target: this.target, fetch, version, connect_ms, max_message_bytes, signal })
      await this.#list(connection, signal)
      const { pid = null, sessionId = null, stderrTail } = connection
      const connected_at = new Date().toISOString()
      await changeServer(
        this.#db,
        this.hold,
        { state: 'connected', pid, session_id: sessionId, connected_at, last_error: null, stderr_tail: stderrTail },
        again,
      )
    } catch (error) {
      await connection?.close()
      signal.throwIfAborted()
      const why = error instanceof McpFailure ? error.message : 'something unforeseen went wrong'
      if (!(error instanceof McpFailure))
        log.warn({ err: error, agent_id, mcp_server: name }, 'an MCP server failed unexpectedly')
      await this.#lose(why, connection)
      return undefined
    }
    log.info({ agent_id, mcp_server: name, pid: connection.pid }, 'connected to an MCP server')
    this.#connection = connection
    this.#connected.resolve(connection)
    return connection
  }

  /** The operator's list may have become shorter since the server was added. */
  #checkCommand(): void {
    const { commands } = this.#options
    if (this.hold.from_file || !('command' in this.hold.server) || !('command' in this.target)) return
    if (!commands.includes('*') && !commands.includes(this.target.command))
      throw new McpFailure('unsent', `its program '${this.target.command}' is not among MUXI_MCP_COMMANDS`)
  }

  /** Resolves with the reason when the connection is over. */
  async #watch(connection: McpConnection, signal: AbortSignal): Promise<string> {
    let listing: Promise<void> | undefined
    let isStale = false
    const list = () => {
      isStale = listing !== undefined
      listing ??= this.#list(connection, signal)
        .then(() => delay(LISTING_PAUSE_MS, undefined, { signal }))
        // A listing that fails leaves the tools as they were; pings tell whether the server is still there.
        .catch(() => undefined)
        .finally(() => {
          listing = undefined
          if (isStale && !signal.aborted) list()
        })
    }
    connection.onToolsChanged(list)
    const pings = setInterval(() => {
      // A server that is at work may be too busy to answer.
      if (this.#active > 0) return
      connection.ping(signal).catch(() => connection.close('it does not answer any more'))
    }, PING_EVERY_MS)
    try {
      return await raceSignal(connection.closed, signal)
    } finally {
      clearInterval(pings)
      this.#connection = undefined
      this.#connected = Promise.withResolvers()
      if (signal.aborted) await connection.close('muxi ended the connection')
    }
  }

  async #list(connection: McpConnection, signal: AbortSignal): Promise<void> {
    const { hold } = this
    const tools = offeredTools(hold.name, await connection.listTools(signal))
    const drifted = await this.#db.transaction().execute((tx) => putTools(tx, hold, tools))
    if (drifted && drifted.length > 0)
      this.#options.log.warn(
        { agent_id: hold.agent_id, mcp_server: hold.name, tools: drifted },
        'tools of an MCP server are no longer what they were when it was configured',
      )
  }

  async #lose(why: string, connection: McpConnection | undefined): Promise<void> {
    const { agent_id, name } = this.hold
    const last_error = this.clean(why)
    this.#options.log.warn({ agent_id, mcp_server: name, why: last_error }, 'an MCP server is not connected')
    await changeServer(this.#db, this.hold, {
      state: 'reconnecting',
      pid: null,
      session_id: null,
      connected_at: null,
      last_error,
      ...(connection && { stderr_tail: connection.stderrTail }),
    })
  }
}
