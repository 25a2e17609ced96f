// What is done for a connection to an MCP server while it lasts: it is pinged, and its tools are listed again when they change.
import { setTimeout as delay } from 'node:timers/promises'
import type { McpConnection } from '../mcp/connection.ts'

/** Between two listings that the server itself asks for, in milliseconds. */
const LISTING_PAUSE_MS = 1_000

export interface Attendance {
  list: () => Promise<void>
  /** A server that is at work may be too busy to answer a ping. */
  isBusy: () => boolean
  ping_ms: number
  signal: AbortSignal
}

/** @returns ends it */
export function attendConnection(connection: McpConnection, { list, isBusy, ping_ms, signal }: Attendance): () => void {
  let listing: Promise<void> | undefined
  let isStale = false
  const listAgain = () => {
    isStale = listing !== undefined
    listing ??= list()
      .then(() => delay(LISTING_PAUSE_MS, undefined, { signal }))
      // A listing that fails leaves the tools as they were; pings tell whether the server is still there.
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
