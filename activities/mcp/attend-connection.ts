// Keeps a connection to an MCP server healthy: pings it, and lists its tools again when they change.
import { setTimeout as delay } from 'node:timers/promises'
import type { McpConnection } from '../../mcp/connection.ts'

/** Minimum interval between two listings that the server requests, in milliseconds. */
const LISTING_PAUSE_MS = 1_000

export interface Attendance {
  list: () => Promise<void>
  /** A busy server may not answer a ping. */
  isBusy: () => boolean
  ping_ms: number
  signal: AbortSignal
}

/** @returns stops it */
export function attendConnection(connection: McpConnection, { list, isBusy, ping_ms, signal }: Attendance): () => void {
  let listing: Promise<void> | undefined
  let isStale = false
  const listAgain = () => {
    isStale = listing !== undefined
    listing ??= list()
      .then(() => delay(LISTING_PAUSE_MS, undefined, { signal }))
      // After a failed listing the known tools stay; pings detect whether the server is still there.
      .catch(() => undefined)
      .finally(() => {
        listing = undefined
        if (isStale && !signal.aborted) listAgain()
      })
  }
  connection.onToolsChanged(listAgain)
  const pings = setInterval(() => {
    if (!isBusy()) connection.ping(signal).catch(() => connection.close('it does not answer any more'))
  }, ping_ms)
  return () => clearInterval(pings)
}
