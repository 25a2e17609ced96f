// Owns one MCP server for as long as it exists: a long heartbeating activity, so that another worker takes over when this
// one dies.
import { cancellationSignal, Context } from '@temporalio/activity'
import type { McpRelease, McpServerRef } from '../../contracts/mcp.ts'
import { again } from '../failures.ts'
import { HolderEnds, type OwnedServers } from './owned-servers.ts'

/**
 * Workers detect each other's death sooner; this is for a single worker. Each heartbeat is a request to Temporal, so the
 * interval is long.
 */
const BEAT_MS = 45_000

export function mcpSuperviseActivities({ holder }: { holder: OwnedServers }) {
  return {
    async superviseMcpServer(ref: McpServerRef): Promise<McpRelease> {
      const context = Context.current()
      context.heartbeat()
      const timer = setInterval(() => context.heartbeat(), BEAT_MS)
      try {
        return await holder.hold(ref, cancellationSignal())
      } catch (error) {
        throw error instanceof HolderEnds ? again('The worker ends') : error
      } finally {
        clearInterval(timer)
      }
    },
  }
}

export type McpHoldActivities = ReturnType<typeof mcpSuperviseActivities>
