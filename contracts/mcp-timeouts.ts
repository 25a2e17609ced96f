// How long an MCP server has, and when it is stopped, in milliseconds: as it is configured, or by default.
import type { McpServer } from './schemas/agent.ts'

const CONNECT_S = 60
const CALL_S = 60
const TOTAL_S = 600
const IDLE_STOP_S = 600
/** What a call waits for a server beyond the time that one start may take. */
const RETRY_MS = 10_000

export interface McpTimeouts {
  /** Until it has introduced itself. */
  connect_ms: number
  /** Of a call, until a server that is not connected is. */
  wait_ms: number
  /** Of a call, without an answer or news of its progress. */
  silence_ms: number
  /** Of a call altogether. */
  total_ms: number
}

/** What a server is allowed. */
export function timeoutsOf({ timeouts = {} }: Pick<McpServer, 'timeouts'>): McpTimeouts {
  const { connect = CONNECT_S, call = CALL_S, total = Math.max(TOTAL_S, call) } = timeouts
  const connect_ms = connect * 1_000
  return { connect_ms, wait_ms: connect_ms + RETRY_MS, silence_ms: call * 1_000, total_ms: total * 1_000 }
}

/** After how long without a call its program is stopped, in milliseconds; Infinity for one that is always connected. */
export function idleStopOf(server: McpServer): number {
  if ('url' in server) return Infinity
  const { idle_stop = IDLE_STOP_S } = server
  return idle_stop === 'never' ? Infinity : idle_stop * 1_000
}
