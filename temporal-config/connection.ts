// Opens a client connection to a Temporal server, and waits for one that is still starting.
import { setTimeout as sleep } from 'node:timers/promises'
import { Connection } from '@temporalio/client'
import type { TemporalTls } from '../contracts/tls.ts'
import { tlsConfig } from './tls.ts'

export interface TemporalTarget {
  readonly address: string
  readonly api_key?: string | undefined
  readonly tls?: boolean | TemporalTls
}

/** Options for `Connection.connect` and `NativeConnection.connect` alike. */
export function connectionOptions({ address, api_key, tls = false }: TemporalTarget) {
  return { address, tls: tlsConfig(tls), ...(api_key && { apiKey: api_key }) }
}

/** A connection to a server that serves, waiting for it as long as `patience_ms` says. */
export async function connectOrThrow(
  target: TemporalTarget,
  { patience_ms, signal }: { patience_ms: number; signal?: AbortSignal | undefined },
): Promise<Connection> {
  const options = connectionOptions(target)
  const deadline = Date.now() + patience_ms
  for (;;) {
    signal?.throwIfAborted()
    try {
      return await Connection.connect({ ...options, connectTimeout: 2_000 })
    } catch (cause) {
      if (Date.now() >= deadline) {
        throw new Error(
          `Cannot reach Temporal at '${target.address}': ${reason(cause)}. Start it there, or leave TEMPORAL_ADDRESS out`,
          {
            cause,
          },
        )
      }
    }
    await sleep(100, undefined, signal && { signal })
  }
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const details = (error as { details?: unknown }).details
  return typeof details === 'string' && details ? details : error.message
}
