// The connection to one MCP server that its calls share, and the calls that wait for it.
import { raceSignal } from '../../contracts/signals.ts'
import type { McpConnection } from '../../mcp/connection.ts'
import type { McpFailure } from '../../mcp/failure.ts'

export class SharedConnection {
  #current: McpConnection | undefined
  #next = Promise.withResolvers<McpConnection>()
  #ended: McpFailure | undefined

  get current(): McpConnection | undefined {
    return this.#current
  }

  open(connection: McpConnection): void {
    this.#current = connection
    this.#next.resolve(connection)
  }

  /** Drops the connection: calls wait for the next one. */
  close(): void {
    this.#current = undefined
    this.#next = Promise.withResolvers()
  }

  /** Fails the waiting calls. */
  refuse(failure: McpFailure): void {
    const { promise, reject } = this.#next
    this.#next = Promise.withResolvers()
    promise.catch(() => undefined)
    reject(failure)
  }

  /** Fails the waiting calls, and every later one. */
  end(failure: McpFailure): void {
    this.#ended = failure
    this.refuse(failure)
  }

  /**
   * Waits for the connection.
   * @returns undefined when there is none after `ms` milliseconds
   * @throws McpFailure when calls are refused, or the signal's reason
   */
  async within(ms: number, signal: AbortSignal): Promise<McpConnection | undefined> {
    if (this.#current) return this.#current
    if (this.#ended) throw this.#ended
    const patience = AbortSignal.timeout(ms)
    try {
      return await raceSignal(this.#next.promise, AbortSignal.any([signal, patience]))
    } catch (error) {
      if (error === patience.reason && !signal.aborted) return undefined
      throw error
    }
  }
}
