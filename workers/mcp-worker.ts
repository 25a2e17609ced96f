// The Temporal workers for MCP servers: one runs the supervising activities, the other the calls to servers that this
// process owns.
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { Context } from '@temporalio/activity'
import { Worker, type NativeConnection } from '@temporalio/worker'
import { WorkflowNotFoundError, type Client } from '@temporalio/client'
import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { mcpCallActivities } from '../activities/mcp/call-tool.ts'
import { OwnedServers } from '../activities/mcp/owned-servers.ts'
import { mcpSuperviseActivities } from '../activities/mcp/supervise.ts'
import type { HolderOptions } from '../activities/mcp/owned-server.ts'
import { SignIns } from '../activities/mcp/sign-ins.ts'
import type { McpServerRef } from '../contracts/mcp.ts'
import { MCP_TASK_QUEUE, mcpTaskQueue, workflowId } from '../contracts/temporal.ts'
import type { Storage } from '../db/storage.ts'
import type { ImageLimits } from '../media/image/image.ts'
import { urlGuard } from '../net/url-guard.ts'
import type { ModelRegistry } from '../providers/registry.ts'
import { holderLost } from '../workflows/messages.ts'
import { failureInterceptor } from './failure-interceptor.ts'

/** Limits of one process: owned servers, and concurrent calls. */
const SERVERS = 300
const CALLS = 200
/** Heartbeats of each server reach Temporal at this interval: other workers do not depend on them. */
const HEARTBEAT_THROTTLE = '40s'

export interface McpWorkerOptions extends Omit<HolderOptions, 'fetch' | 'signIns'> {
  connection: NativeConnection
  client: Client
  namespace: string
  storage: Storage
  allow_private_urls: boolean
  /** Public URL of the API. */
  public_url: string
  tool_output_characters: number
  models: ModelRegistry
  image_limits: ImageLimits
  log: Logger
}

export interface McpWorker {
  /** Runs until `shutdown`, and then until every owned server is released. */
  run(): Promise<void>
  /** Drains calls for a few seconds, then releases every server to other workers. */
  shutdown(): void
}

export async function createMcpWorker(options: McpWorkerOptions): Promise<McpWorker> {
  const { connection, namespace, storage, client, log, tool_output_characters, models, image_limits } = options
  const guard = urlGuard({ allow_private: options.allow_private_urls })
  const fetch: FetchLike = (url, init) => guard.fetch(url, init)
  const signIns = new SignIns(storage, { fetch, public_url: options.public_url })
  const holder = new OwnedServers(storage, mcpTaskQueue(randomUUID()), { ...options, fetch, signIns })
  const common = {
    connection,
    namespace,
    interceptors: { activity: [(context: Context) => ({ inbound: failureInterceptor(context, log) })] },
    shutdownGraceTime: '5s' as const,
    shutdownForceTime: '15s' as const,
  }
  const supervisors = await Worker.create({
    ...common,
    taskQueue: MCP_TASK_QUEUE,
    activities: mcpSuperviseActivities({ holder }),
    maxHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
    defaultHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
    maxConcurrentActivityTaskExecutions: SERVERS,
  })
  const calls = await Worker.create({
    ...common,
    taskQueue: holder.queue,
    activities: mcpCallActivities({ ...storage, holder, signIns, tool_output_characters, models, image_limits }),
    maxHeartbeatThrottleInterval: '500ms',
    defaultHeartbeatThrottleInterval: '500ms',
    maxConcurrentActivityTaskExecutions: CALLS,
  })
  const over = new AbortController()

  /** Signals the actors of a dead worker's servers to assign them to another worker. */
  async function tellLost(servers: McpServerRef[]): Promise<void> {
    for (const ref of servers) {
      const handle = client.workflow.getHandle(workflowId.mcpServer(ref))
      // The sweeper starts a missing actor; one that misses the signal finds out later by the heartbeat timeout.
      await handle.signal(holderLost).catch((error: unknown) => {
        if (!(error instanceof WorkflowNotFoundError))
          log.warn({ err: error, ...ref }, 'the actor of an MCP server could not be signalled that its worker has died')
      })
    }
  }

  return {
    async run() {
      const looking = holder.run(tellLost, over.signal)
      try {
        await Promise.all([supervisors.run(), calls.run()])
      } finally {
        over.abort()
        await looking
        await holder.leave().catch(() => undefined)
        await guard.close()
      }
    },
    shutdown() {
      for (const each of [supervisors, calls]) if (each.getState() === 'RUNNING') each.shutdown()
      void holder.end()
    },
  }
}
