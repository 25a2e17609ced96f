// How long an MCP server has, in milliseconds: as it is configured, or by default.
import type { McpServer } from './schemas/agent.ts'

const CONNECT_S = 60
const CALL_S = 60
const TOTAL_S = 600

export interface McpTimeouts {
  /** Until it has introduced itself. */
  connect_ms: number
  /** Of a call, without an answer or news of its progress. */
  silence_ms: number
  /** Of a call altogether. */
  total_ms: number
}

/** What a server is allowed. */
export function timeoutsOf({ timeouts = {} }: Pick<McpServer, 'timeouts'>): McpTimeouts {
  const { connect = CONNECT_S, call = CALL_S, total = Math.max(TOTAL_S, call) } = timeouts
  return { connect_ms: connect * 1_000, silence_ms: call * 1_000, total_ms: total * 1_000 }
}
