// Opens connections to MCP servers: the transports in the order in which they are tried.
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { StreamableHTTPClientTransport, StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { FetchLike, Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { raceSignal } from '../contracts/signals.ts'
import { authorizedFetch, type TokenSource } from './authorized-fetch.ts'
import { boundedFetch } from './bounded-fetch.ts'
import { ChildTransport } from './child-transport.ts'
import { McpConnection } from './connection.ts'
import { McpFailure } from './failure.ts'
import { lenientFetch } from './lenient-fetch.ts'
import type { McpTarget } from './target.ts'

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
      await raceSignal(connection.introduce(either), either)
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
    fetch: lenientFetch(
      tokens ? authorizedFetch(bounded, tokens, onRefused) : bounded,
      kind === 'sse' ? 'sse' : 'http',
    ),
    requestInit: { headers: target.headers },
    // The fetch checks every step of a redirect.
    redirectPolicy: 'same-origin' as const,
  }
  const url = new URL(target.url)
  return kind === 'sse' ? new SSEClientTransport(url, options) : new StreamableHTTPClientTransport(url, options)
}
