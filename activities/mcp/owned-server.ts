// One MCP server that is owned by this worker: connected, its tools listed, monitored, and reconnected after a failure; a program runs only while it is needed.
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { idleStopOf, timeoutsOf } from '../../contracts/mcp-timeouts.ts'
import { raceSignal } from '../../contracts/signals.ts'
import { changeServer, type Hold } from '../../db/queries/mcp-owners.ts'
import type { Db } from '../../db/schema.ts'
import type { CallOptions, McpConnection } from '../../mcp/connection.ts'
import { McpFailure, type Challenge } from '../../mcp/failure.ts'
import { withoutSecrets } from '../../mcp/target.ts'
import { CallCounter } from './call-counter.ts'
import { attendConnection } from './attend-connection.ts'
import { listServerTools } from './list-tools.ts'
import { ServerConnector, type ConnectorOptions } from './server-connector.ts'
import { ServerDemand } from './server-demand.ts'
import { SharedConnection } from './shared-connection.ts'
import type { Slots } from '../../contracts/slots.ts'
import { UserConnections, type Lent } from './user-connections.ts'

/** Exponential backoff with jitter after failures: first and longest delay, in milliseconds. */
const FIRST_PAUSE_MS = 500
const MAX_PAUSE_MS = 30_000
/** A connection that lasted this long resets the backoff, in milliseconds. */
const SOUND_MS = 30_000
/** Interval of checks whether a server still requires a sign-in, in milliseconds; a completed sign-in is noticed at once. */
const SIGN_IN_PAUSE_MS = 300_000
/** After this long without a connection, in milliseconds, and this many attempts a server is down: no call waits for it. */
const DOWN_MS = 30_000
const DOWN_TRIES = 3
/** Longest wait of one round for a disconnected server by URL, in milliseconds; it may reconnect. */
const ROUND_MS = 10_000
/** Idle timeout of a program that was started without a call (to list its tools, or for the API), in milliseconds. */
const UNCALLED_STOP_MS = 30_000

export interface HolderOptions extends ConnectorOptions {
  /** Interval of pings to an idle server. */
  ping_ms: number
  log: Logger
}

/** The server did not connect within the call's start timeout; the message is the reason. */
export class StartFailure extends McpFailure {
  constructor(reason: string) {
    super('unsent', reason)
  }
}

const NOT_CONNECTED = { pid: null, session_id: null, connected_at: null }

export class OwnedServer {
  readonly hold: Hold
  readonly #db: Db
  readonly #options: HolderOptions
  readonly #slots: Slots
  readonly #demand: ServerDemand
  readonly #connector: ServerConnector
  readonly #users: UserConnections
  #wantsSignIn = false
  #failures = 0
  #downSince = Date.now()
  #lastError = ''
  /** Whether the tools of this configuration are unknown; those of a built-in server change with muxi's version. */
  #isUnlisted: boolean
  readonly #shared = new SharedConnection()
  readonly #calls: CallCounter

  /** @param slots for starts that only list tools */
  constructor(db: Db, hold: Hold, options: HolderOptions, slots: Slots) {
    this.#db = db
    this.hold = hold
    this.#options = options
    this.#slots = slots
    this.#calls = new CallCounter(db, hold)
    const { server, listed_by } = hold
    this.#demand = new ServerDemand(idleStopOf(server))
    this.#isUnlisted = listed_by === null || ('builtin' in server && listed_by !== options.version)
    if (hold.wanted_at !== null) this.want()
    this.#connector = new ServerConnector(hold, options)
    this.#users = new UserConnections((userId) => this.#connector.connect(userId, new AbortController().signal))
  }

  /** Keeps the server connected while it is needed, until the signal aborts; then closes the connections and the program. */
  async run(signal: AbortSignal): Promise<void> {
    let isReconnect = false
    try {
      for (;;) {
        await this.#untilNeeded(signal)
        const startedAt = Date.now()
        const connection = await this.#begin(isReconnect, signal)
        if (connection) {
          const why = await this.#watch(connection, signal)
          isReconnect = why !== undefined
          if (!isReconnect || Date.now() - startedAt > SOUND_MS) this.#failures = 0
          this.#downSince = Date.now()
          if (why === undefined) continue
          await this.#lose(why, connection)
        }
        this.#failures += 1
        if (this.#isProgram && this.down !== undefined) this.#shared.refuse(new StartFailure(this.down))
        const pause = Math.min(FIRST_PAUSE_MS * 2 ** (this.#failures - 1), MAX_PAUSE_MS)
        const ms = this.#wantsSignIn ? SIGN_IN_PAUSE_MS : pause * (0.5 + Math.random() / 2)
        await delay(ms, undefined, { signal })
      }
    } finally {
      this.#shared.end(new McpFailure('unsent', 'this worker no longer holds it'))
      await this.#users.close('muxi ended the connection')
    }
  }

  /** Whether the program is starting: a call may have to wait for it. */
  get isStarting(): boolean {
    return this.#isProgram && !this.#shared.current
  }

  /** Starts a program that is not running, on a request without a call. */
  want(): void {
    this.#demand.request(UNCALLED_STOP_MS)
  }

  get #isProgram(): boolean {
    return !('url' in this.hold.server)
  }

  /** Returns at once while the server is needed; otherwise waits, idle, until it is. */
  async #untilNeeded(signal: AbortSignal): Promise<void> {
    if (this.#isUnlisted || this.#demand.isWanted) return
    const { agent_id, name } = this.hold
    const last_error = this.#failures > 0 ? this.#lastError : null
    this.#failures = 0
    await changeServer(this.#db, this.hold, { ...NOT_CONNECTED, state: 'idle', last_error })
    this.#options.log.info({ agent_id, mcp_server: name }, 'an MCP server is idle')
    await this.#demand.untilWanted(signal)
    this.#downSince = Date.now()
    this.#lastError = ''
    await changeServer(this.#db, this.hold, { state: 'connecting', last_error: null, wanted_at: null })
  }

  /** The reason why no call waits for this server, when it has been down for long. */
  get down(): string | undefined {
    const ms = Date.now() - this.#downSince
    if (this.#shared.current || this.#wantsSignIn || this.#failures < DOWN_TRIES || ms < DOWN_MS) return undefined
    return `${this.#lastError} (for ${Math.round(ms / 1_000)} s by now)`
  }

  /**
   * The connection for one call: the shared one, or, for servers with sign-in, the user's own.
   * A program that is not running is started, with retries, within the time limits of the call.
   * @throws McpFailure, `unsent` when there is none in time; StartFailure when a program could not be started; or the signal's reason
   */
  async lend(userId: string, signal: AbortSignal): Promise<Lent> {
    const { takesTokens } = this.#connector
    if (takesTokens && (this.#wantsSignIn || (await this.#connector.hasTokens(userId))))
      return this.#users.lend(userId, signal)
    const giveBack = this.#demand.lease()
    try {
      return { connection: await this.#connectedInTime(signal), giveBack }
    } catch (error) {
      giveBack()
      throw error
    }
  }

  async #connectedInTime(signal: AbortSignal): Promise<McpConnection> {
    const { wait_ms, total_ms } = timeoutsOf(this.hold.server)
    const ms = this.#isProgram ? Math.min(wait_ms, total_ms) : ROUND_MS
    const connection = await this.#shared.within(ms, signal)
    if (connection) return connection
    if (!this.#isProgram) throw new McpFailure('unsent', 'it is not connected')
    throw new StartFailure(this.#lastError || `it was not ready within ${ms / 1_000} s`)
  }

  call(
    connection: McpConnection,
    tool: string,
    parameters: Record<string, unknown>,
    options: CallOptions,
  ): Promise<Record<string, unknown>> {
    return this.#calls.count(() => connection.callTool(tool, parameters, options))
  }

  get active(): number {
    return this.#calls.active
  }

  /** Redacts the configured credentials from a text of the server. */
  clean(text: string): string {
    return withoutSecrets(text, this.#connector.target.secrets)
  }

  /** Writes the current counters to the row. */
  flush(): Promise<void> {
    return this.#calls.flush()
  }

  async #begin(again: boolean, signal: AbortSignal): Promise<McpConnection | undefined> {
    const { agent_id, name } = this.hold
    const { log } = this.#options
    let connection: McpConnection | undefined
    this.#wantsSignIn = false
    const giveSlot = await this.#takeSlot(signal)
    try {
      this.#connector.checkCommand()
      connection = await this.#connector.connect('', signal)
      await listServerTools(this.#db, this.hold, connection, this.#options, signal)
      this.#isUnlisted = false
      const { pid = null, sessionId = null, stderrTail } = connection
      const connected_at = new Date().toISOString()
      await changeServer(
        this.#db,
        this.hold,
        {
          state: 'connected',
          pid,
          session_id: sessionId,
          connected_at,
          last_error: null,
          stderr_tail: stderrTail,
          wanted_at: null,
        },
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
    } finally {
      giveSlot()
    }
    log.info({ agent_id, mcp_server: name, pid: connection.pid }, 'connected to an MCP server')
    this.#shared.open(connection)
    if (!this.#demand.isRequested) this.want()
    return connection
  }

  /** Bounds the concurrent starts of programs that no call waits for. */
  async #takeSlot(signal: AbortSignal): Promise<() => void> {
    if (!this.#isProgram || this.#demand.isRequested) return () => {}
    const over = new AbortController()
    const requested = this.#demand.untilRequested(AbortSignal.any([signal, over.signal]))
    requested.catch(() => undefined)
    try {
      return await this.#slots.take(signal, requested)
    } finally {
      over.abort()
    }
  }

  /** Waits for an operator to sign in, if the server supports it. @returns the reason if it does not */
  async #askForSignIn(challenge: Challenge, signal: AbortSignal): Promise<unknown> {
    const { agent_id, name } = this.hold
    try {
      await this.#connector.askForSignIn(challenge, signal)
    } catch (error) {
      signal.throwIfAborted()
      return error
    }
    this.#wantsSignIn = true
    this.#options.log.warn({ agent_id, mcp_server: name }, 'an MCP server wants a sign-in')
    await changeServer(this.#db, this.hold, { ...NOT_CONNECTED, state: 'needs_sign_in', last_error: null })
    return undefined
  }

  /** Resolves with the reason when the connection has closed; undefined: it was idle, and its program has been stopped. */
  async #watch(connection: McpConnection, signal: AbortSignal): Promise<string | undefined> {
    const endAttendance = attendConnection(connection, {
      list: () => listServerTools(this.#db, this.hold, connection, this.#options, signal),
      isBusy: () => this.active > 0,
      ping_ms: this.#options.ping_ms,
      signal,
    })
    const over = new AbortController()
    let why: string | undefined
    try {
      do {
        const idle = this.#demand.untilIdle(AbortSignal.any([signal, over.signal]))
        why = await raceSignal(Promise.race([connection.closed, idle.then(() => undefined)]), signal)
        // A call may have arrived since.
      } while (why === undefined && this.#demand.isWanted)
    } finally {
      over.abort()
      endAttendance()
      this.#shared.close()
      if (signal.aborted) await connection.close('muxi ended the connection')
    }
    if (why === undefined) await connection.close('it was idle')
    return why
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
