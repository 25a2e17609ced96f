// Timeouts of an MCP server, and its idle stop, in milliseconds: configured, or by default.
import type { McpServer } from './schemas/mcp-server.ts'

const CONNECT_S = 60
const CALL_S = 60
const TOTAL_S = 600
const IDLE_STOP_S = 600
/** Additional wait of a call for a server after one start timeout. */
const RETRY_MS = 10_000

export interface McpTimeouts {
  /** Until it is initialized. */
  connect_ms: number
  /** Of a call, until its server is connected. */
  wait_ms: number
  /** Of a call, without a response or progress. */
  silence_ms: number
  /** Of a call in total. */
  total_ms: number
}

/** The timeouts of a server. */
export function timeoutsOf({ timeouts = {} }: Pick<McpServer, 'timeouts'>): McpTimeouts {
  const { connect = CONNECT_S, call = CALL_S, total = Math.max(TOTAL_S, call) } = timeouts
  const connect_ms = connect * 1_000
  return { connect_ms, wait_ms: connect_ms + RETRY_MS, silence_ms: call * 1_000, total_ms: total * 1_000 }
}

/** Idle timeout of its program, in milliseconds; Infinity for one that is always connected. */
export function idleStopOf(server: McpServer): number {
  if ('url' in server) return Infinity
  const { idle_stop = IDLE_STOP_S } = server
  return idle_stop === 'never' ? Infinity : idle_stop * 1_000
}
