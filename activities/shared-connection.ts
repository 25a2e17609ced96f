// The connection to one MCP server that its calls share, and the calls that wait until there is one.
import { raceSignal } from '../contracts/signals.ts'
import type { McpConnection } from '../mcp/connection.ts'
import type { McpFailure } from '../mcp/failure.ts'

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

  /** Calls wait for the next connection. */
  close(): void {
    this.#current = undefined
    this.#next = Promise.withResolvers()
  }

  /** Fails the calls that wait. */
  refuse(failure: McpFailure): void {
    const { promise, reject } = this.#next
    this.#next = Promise.withResolvers()
    promise.catch(() => undefined)
    reject(failure)
  }

  /** Fails the calls that wait, and every later one. */
  end(failure: McpFailure): void {
    this.#ended = failure
    this.refuse(failure)
  }

  /**
   * The connection, as soon as there is one.
   * @returns undefined when there is none after so many milliseconds
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
