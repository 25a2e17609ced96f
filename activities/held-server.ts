// One MCP server in the hands of this worker: connected, asked for its tools, watched, and connected again for as long as it is ours.
import { setTimeout as delay } from 'node:timers/promises'
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { Logger } from 'pino'
import { timeoutsOf } from '../contracts/mcp-timeouts.ts'
import { raceSignal } from '../contracts/signals.ts'
import { mapAll } from '../contracts/map-all.ts'
import { changeServer, listToolsOfAgent, MAX_OFFERED, putTools, type Hold } from '../db/queries/mcp.ts'
import type { Db } from '../db/schema.ts'
import { connect, type CallOptions, type McpConnection } from '../mcp/connection.ts'
import { McpFailure, type Challenge } from '../mcp/failure.ts'
import { targetOf, withoutSecrets, type McpTarget } from '../mcp/target.ts'
import { offeredTools } from '../mcp/tools.ts'
import type { SignIns } from './sign-ins.ts'
import { UserConnections, type Lent } from './user-connections.ts'

/** How long to wait after the first failure, and at most, in milliseconds; in between twice as long each time, and a part of it by chance. */
const FIRST_PAUSE_MS = 500
const MAX_PAUSE_MS = 30_000
/** A connection that lasted so long begins the pauses anew. */
const SOUND_MS = 30_000
/** Between two listings that the server itself asks for. */
const LISTING_PAUSE_MS = 1_000
/** A server that wants a sign-in is asked so often whether it still does, in milliseconds; who signs in is noticed at once. */
const SIGN_IN_PAUSE_MS = 300_000
/** A server that is not connected for so long, in milliseconds, and after so many tries, is down: nobody waits for it. */
const DOWN_MS = 30_000
const DOWN_TRIES = 3

export interface HolderOptions {
  /** For servers reached by URL. */
  fetch: FetchLike
  signIns: SignIns
  /** Programs that servers made over the API may be started with; `*` is any. */
  commands: readonly string[]
  /** Whether servers made over the API may reach private networks. */
  allow_private_urls: boolean
  version: string
  max_message_bytes: number
  /** Between two pings of a server that is not at work. */
  ping_ms: number
  log: Logger
}

const NOT_CONNECTED = { pid: null, session_id: null, connected_at: null }

export class HeldServer {
  readonly hold: Hold
  readonly target: McpTarget
  readonly #db: Db
  readonly #options: HolderOptions
  readonly #users: UserConnections
  #wantsSignIn = false
  #failures = 0
  #downSince = Date.now()
  #lastError = ''
  #connection: McpConnection | undefined
  #connected = Promise.withResolvers<McpConnection>()
  #active = 0
  #lastActivity: string | null = null
  #isFlushed = true

  constructor(db: Db, hold: Hold, options: HolderOptions) {
    this.#db = db
    this.hold = hold
    this.#options = options
    const { from_file, server, secrets } = hold
    this.target = targetOf(server, secrets, { guarded: !from_file && !options.allow_private_urls })
    this.#users = new UserConnections((userId) => this.#connect(userId, new AbortController().signal))
  }

  /** Stays connected until the signal aborts; then the connections, and the program with them, are ended. */
  async run(signal: AbortSignal): Promise<void> {
    let connections = 0
    try {
      for (;;) {
        const startedAt = Date.now()
        const connection = await this.#begin(connections > 0, signal)
        if (connection) {
          connections += 1
          const why = await this.#watch(connection, signal)
          if (Date.now() - startedAt > SOUND_MS) this.#failures = 0
          this.#downSince = Date.now()
          await this.#lose(why, connection)
        }
        this.#failures += 1
        const pause = Math.min(FIRST_PAUSE_MS * 2 ** (this.#failures - 1), MAX_PAUSE_MS)
        const ms = this.#wantsSignIn ? SIGN_IN_PAUSE_MS : pause * (0.5 + Math.random() / 2)
        await delay(ms, undefined, { signal })
      }
    } finally {
      await this.#users.close('muxi ended the connection')
    }
  }

  /** Why nobody is to wait for this server, when it is down for long. */
  get down(): string | undefined {
    const ms = Date.now() - this.#downSince
    if (this.#connection || this.#wantsSignIn || this.#failures < DOWN_TRIES || ms < DOWN_MS) return undefined
    return `${this.#lastError} (for ${Math.round(ms / 1_000)} s by now)`
  }

  /** Where its tokens are shown; undefined for a server that takes none. */
  get #signInUrl(): string | undefined {
    const { server } = this.hold
    const hasOwn =
      'headers' in this.target && Object.keys(this.target.headers).some((name) => /^authorization$/i.test(name))
    return 'url' in server && !hasOwn ? server.url : undefined
  }

  /**
   * The connection for one call: the one that all share, or, where people sign in, the user's own.
   * @throws McpFailure, `unsent` when there is none after so many milliseconds; or the signal's reason
   */
  async lend(userId: string, ms: number, signal: AbortSignal): Promise<Lent> {
    const url = this.#signInUrl
    if (url !== undefined && (this.#wantsSignIn || (await this.#hasTokens(url, [userId, '']))))
      return this.#users.lend(userId, signal)
    return { connection: await this.#connectedWithin(ms, signal), giveBack: () => {} }
  }

  async #hasTokens(url: string, users: string[]): Promise<boolean> {
    const { agent_id, name } = this.hold
    const found = await mapAll(users, (user_id) => this.#options.signIns.has({ agent_id, name, user_id }, url))
    return found.includes(true)
  }

  /** A connection with the tokens of a user; those of '' are the operator's, for listing. */
  #connect(userId: string, signal: AbortSignal): Promise<McpConnection> {
    const { agent_id, name, server } = this.hold
    const { fetch, signIns, version, max_message_bytes } = this.#options
    const { connect_ms } = timeoutsOf(server)
    const url = this.#signInUrl
    const tokens = url === undefined ? {} : { tokens: signIns.source({ agent_id, name, user_id: userId }, url) }
    return connect({ target: this.target, fetch, ...tokens, version, connect_ms, max_message_bytes, signal })
  }

  async #connectedWithin(ms: number, signal: AbortSignal): Promise<McpConnection> {
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
    const { agent_id, name } = this.hold
    const { log } = this.#options
    let connection: McpConnection | undefined
    this.#wantsSignIn = false
    try {
      this.#checkCommand()
      connection = await this.#connect('', signal)
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
      const failure =
        error instanceof McpFailure && error.challenge ? await this.#askForSignIn(error.challenge, signal) : error
      if (failure === undefined) return undefined
      const why = failure instanceof McpFailure ? failure.message : 'something unforeseen went wrong'
      if (!(failure instanceof McpFailure))
        log.warn({ err: failure, agent_id, mcp_server: name }, 'an MCP server failed unexpectedly')
      await this.#lose(why, connection)
      return undefined
    }
    log.info({ agent_id, mcp_server: name, pid: connection.pid }, 'connected to an MCP server')
    this.#connection = connection
    this.#connected.resolve(connection)
    return connection
  }

  /** Waits for an operator, where there is a way to sign in. @returns why there is none */
  async #askForSignIn(challenge: Challenge, signal: AbortSignal): Promise<unknown> {
    const { agent_id, name } = this.hold
    try {
      await this.#options.signIns.ask(this.hold, '', undefined, challenge, signal)
    } catch (error) {
      signal.throwIfAborted()
      return error
    }
    this.#wantsSignIn = true
    this.#options.log.warn({ agent_id, mcp_server: name }, 'an MCP server wants a sign-in')
    await changeServer(this.#db, this.hold, { ...NOT_CONNECTED, state: 'needs_sign_in', last_error: null })
    return undefined
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
    }, this.#options.ping_ms)
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
    const of = { agent_id: hold.agent_id, mcp_server: hold.name }
    const { log } = this.#options
    const listed = await connection.listTools(signal)
    const tools = offeredTools(hold.name, listed)
    const drifted = await this.#db.transaction().execute((tx) => putTools(tx, hold, tools))
    if (drifted && drifted.length > 0)
      log.warn({ ...of, tools: drifted }, 'tools of an MCP server are no longer what they were when it was configured')
    if (tools.length < listed.length)
      log.warn(
        { ...of, left_out: listed.length - tools.length },
        'tools of an MCP server are left out: their names are not unique, or their schemas are too long',
      )
    const known = await listToolsOfAgent(this.#db, hold.agent_id)
    const left_out = known.filter((tool) => tool.server === hold.name && tool.left_out === 'too many').length
    if (left_out > 0)
      log.warn(
        { ...of, left_out, most: MAX_OFFERED },
        "tools of an MCP server are not offered to models: choose those that are with 'offered_tools'",
      )
  }

  async #lose(why: string, connection: McpConnection | undefined): Promise<void> {
    const { agent_id, name } = this.hold
    const last_error = this.clean(why)
    this.#lastError = last_error
    this.#options.log.warn({ agent_id, mcp_server: name, why: last_error }, 'an MCP server is not connected')
    await changeServer(this.#db, this.hold, {
      ...NOT_CONNECTED,
      state: 'reconnecting',
      last_error,
      ...(connection && { stderr_tail: connection.stderrTail }),
    })
  }
}
