// Connects to one MCP server: by its configuration, with the tokens of the user the connection is for.
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js'
import { mapAll } from '../../contracts/map-all.ts'
import { timeoutsOf } from '../../contracts/mcp-timeouts.ts'
import type { Hold } from '../../db/queries/mcp-owners.ts'
import { connect } from '../../mcp/connect.ts'
import type { McpConnection } from '../../mcp/connection.ts'
import { McpFailure, type Challenge } from '../../mcp/failure.ts'
import { targetOf, type McpTarget } from '../../mcp/target.ts'
import type { SignIns } from './sign-ins.ts'

export interface ConnectorOptions {
  /** For servers reached by URL. */
  fetch: FetchLike
  signIns: SignIns
  /** Programs that servers created over the API may run; `*` allows any. */
  commands: readonly string[]
  /** Whether servers created over the API may reach private networks. */
  allow_private_urls: boolean
  version: string
  max_message_bytes: number
}

export class ServerConnector {
  readonly target: McpTarget
  readonly #hold: Hold
  readonly #options: ConnectorOptions

  constructor(hold: Hold, options: ConnectorOptions) {
    const { from_file, server, secrets } = hold
    this.#hold = hold
    this.#options = options
    this.target = targetOf(server, secrets, { guarded: !from_file && !options.allow_private_urls })
  }

  /**
   * A connection with the tokens of a user; user id '' is the operator, for listing.
   * @throws McpFailure, or the signal's reason
   */
  connect(userId: string, signal: AbortSignal): Promise<McpConnection> {
    const { agent_id, name, server } = this.#hold
    const { fetch, signIns, version, max_message_bytes } = this.#options
    const { connect_ms } = timeoutsOf(server)
    const url = this.#signInUrl
    const tokens = url === undefined ? {} : { tokens: signIns.source({ agent_id, name, user_id: userId }, url) }
    return connect({ target: this.target, fetch, ...tokens, version, connect_ms, max_message_bytes, signal })
  }

  /** The operator's list of programs may have been reduced since the server was added. @throws McpFailure */
  checkCommand(): void {
    const { commands } = this.#options
    const { from_file, server } = this.#hold
    if (from_file || !('command' in server) || !('command' in this.target)) return
    if (!commands.includes('*') && !commands.includes(this.target.command))
      throw new McpFailure('unsent', `its program '${this.target.command}' is not among MUXI_MCP_COMMANDS`)
  }

  get takesTokens(): boolean {
    return this.#signInUrl !== undefined
  }

  /** Whether the user, or the operator, has signed in. */
  async hasTokens(userId: string): Promise<boolean> {
    const { agent_id, name } = this.#hold
    const url = this.#signInUrl
    if (url === undefined) return false
    const has = (user_id: string) => this.#options.signIns.has({ agent_id, name, user_id }, url)
    return (await mapAll([userId, ''], has)).includes(true)
  }

  /** Asks for an operator's sign-in. @throws McpFailure when the server has no sign-in */
  async askForSignIn(challenge: Challenge, signal: AbortSignal): Promise<void> {
    await this.#options.signIns.ask(this.#hold, '', undefined, challenge, signal)
  }

  /** The URL that its tokens may be sent to; undefined for a server that takes none. */
  get #signInUrl(): string | undefined {
    const { server } = this.#hold
    const hasOwn =
      'headers' in this.target && Object.keys(this.target.headers).some((name) => /^authorization$/i.test(name))
    return 'url' in server && !hasOwn ? server.url : undefined
  }
}
