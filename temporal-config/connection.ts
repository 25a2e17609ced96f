// Opens a client connection to a Temporal server, and waits for one that is still starting.
import { Connection } from '@temporalio/client'
import { retry } from '../contracts/retry.ts'
import type { TemporalTls } from '../contracts/tls.ts'
import { tlsConfig } from './tls.ts'

const PAUSE_MS = 100

export interface TemporalTarget {
  readonly address: string
  readonly api_key?: string | undefined
  readonly tls?: boolean | TemporalTls
}

/** Options for both `Connection.connect` and `NativeConnection.connect`. */
function connectionOptions({ address, api_key, tls = false }: TemporalTarget) {
  return { address, tls: tlsConfig(tls), ...(api_key && { apiKey: api_key }) }
}

export interface ConnectOptions {
  patience_ms: number
  signal?: AbortSignal | undefined
}

/** Connects to a serving server, waiting for it up to `patience_ms`. */
export function connectOrThrow(target: TemporalTarget, options: ConnectOptions): Promise<Connection> {
  return retryConnect(target, (options) => Connection.connect({ ...options, connectTimeout: 2_000 }), options)
}

/** Like `connectOrThrow` for another kind of connection: calls `connect` until it resolves or `patience_ms` has passed. */
export async function retryConnect<C>(
  target: TemporalTarget,
  connect: (options: ReturnType<typeof connectionOptions>) => Promise<C>,
  { patience_ms, signal }: ConnectOptions,
): Promise<C> {
  signal?.throwIfAborted()
  try {
    return await retry(() => connect(connectionOptions(target)), { patience_ms, pause_ms: PAUSE_MS, signal })
  } catch (cause) {
    signal?.throwIfAborted()
    throw new Error(
      `Cannot reach Temporal at '${target.address}': ${reason(cause)}. Start it there, or leave TEMPORAL_ADDRESS out`,
      { cause },
    )
  }
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const details = (error as { details?: unknown }).details
  return typeof details === 'string' && details ? details : error.message
}
