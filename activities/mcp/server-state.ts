// The state of an MCP server that is owned by this worker, as its row and the log show it.
import type { Logger } from 'pino'
import { changeServer, type Hold } from '../../db/queries/mcp-owners.ts'
import type { Db } from '../../db/schema.ts'
import type { McpConnection } from '../../mcp/connection.ts'

const NOT_CONNECTED = { pid: null, session_id: null, connected_at: null }

export class ServerState {
  readonly #db: Db
  readonly #hold: Hold
  readonly #log: Logger
  /** Identifies the server in the log. */
  readonly #named: { agent_id: string; mcp_server: string }

  constructor(db: Db, hold: Hold, log: Logger) {
    this.#db = db
    this.#hold = hold
    this.#log = log
    this.#named = { agent_id: hold.agent_id, mcp_server: hold.name }
  }

  /** @param last_error why the last attempts to start it failed */
  async idle(last_error: string | null): Promise<void> {
    await changeServer(this.#db, this.#hold, { ...NOT_CONNECTED, state: 'idle', last_error })
    this.#log.info(this.#named, 'an MCP server is idle')
  }

  async connecting(): Promise<void> {
    await changeServer(this.#db, this.#hold, { state: 'connecting', last_error: null, wanted_at: null })
  }

  /** @param again after a connection that was lost */
  async connected({ pid, sessionId, stderrTail }: McpConnection, again: boolean): Promise<void> {
    await changeServer(
      this.#db,
      this.#hold,
      {
        state: 'connected',
        pid: pid ?? null,
        session_id: sessionId ?? null,
        connected_at: new Date().toISOString(),
        last_error: null,
        stderr_tail: stderrTail,
        wanted_at: null,
      },
      again,
    )
    this.#log.info({ ...this.#named, pid }, 'connected to an MCP server')
  }

  async needsSignIn(): Promise<void> {
    this.#log.warn(this.#named, 'an MCP server wants a sign-in')
    await changeServer(this.#db, this.#hold, { ...NOT_CONNECTED, state: 'needs_sign_in', last_error: null })
  }

  /** It will be connected again. */
  async lost(why: string, connection: McpConnection | undefined): Promise<void> {
    this.#log.warn({ ...this.#named, why }, 'an MCP server is not connected')
    await changeServer(this.#db, this.#hold, {
      ...NOT_CONNECTED,
      state: 'reconnecting',
      last_error: why,
      ...(connection && { stderr_tail: connection.stderrTail }),
    })
  }

  /** The row does not show a fault of muxi. */
  unforeseen(error: unknown): void {
    this.#log.warn({ err: error, ...this.#named }, 'an MCP server failed unexpectedly')
  }
}
