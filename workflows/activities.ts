// How workflows call activities: the types come from the implementation, the policies from here.
import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow'
import type { TurnActivities } from '../activities/index.ts'
import type { McpCallActivities } from '../activities/mcp-call.ts'
import type { McpHoldActivities } from '../activities/mcp-supervise.ts'
import type { MediaActivities } from '../activities/media.ts'
import { MCP_TASK_QUEUE, MEDIA_TASK_QUEUE } from '../contracts/engine.ts'

/** A killed worker is noticed after this long without a heartbeat. */
const HEARTBEAT_TIMEOUT = '5s'

/** Database work of a few milliseconds: repeated until the database answers. */
export const { claimTurn, finishTurn, abandonToolCall, locateMcpServer, giveUpMcpCall, beginJob, finishJob } =
  proxyLocalActivities<TurnActivities>({
    startToCloseTimeout: '10s',
    scheduleToCloseTimeout: '1h',
    retry: { initialInterval: '50ms', backoffCoefficient: 2, maximumInterval: '5s' },
  })

/**
 * Temporal retries without a limit, because a killed worker does not count as a failure of the model; the activity itself stops
 * after so many failures of the provider (0.5, 1, 2 and 4 s apart, or as Retry-After says). The caller sets the
 * schedule-to-close timeout to what is left of the turn's active time.
 */
export const { callModel } = proxyActivities<TurnActivities>({
  startToCloseTimeout: '30m',
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  priority: { priorityKey: 1 },
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '10s' },
})

/** The ledger decides whether a tool may run again; the engine only delivers the attempt. */
export const { callTool } = proxyActivities<TurnActivities>({
  startToCloseTimeout: '10m',
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  priority: { priorityKey: 1 },
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '10s' },
})

/** On the queue of the worker that holds the server. A call that it does not take or finish is the workflow's to route again. */
export const { callMcpTool } = proxyActivities<McpCallActivities>({
  scheduleToStartTimeout: '5s',
  // The activity itself limits what the server may take; a question of its may wait for days.
  startToCloseTimeout: '3650d',
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  priority: { priorityKey: 1 },
  retry: { maximumAttempts: 1 },
})

/** As long as the server exists. Heartbeats are few, because there are many servers and most of them idle; workers notice each other's death sooner. */
export const { superviseMcpServer } = proxyActivities<McpHoldActivities>({
  taskQueue: MCP_TASK_QUEUE,
  startToCloseTimeout: '3650d',
  heartbeatTimeout: '2m',
  cancellationType: 'TRY_CANCEL',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
})

/** Work that needs a core. A file that cannot be read says so itself; anything else is worth another attempt. */
export const { inspectFile, parseBatch, prepareImage, readImage, prepareRecording } = proxyActivities<MediaActivities>({
  taskQueue: MEDIA_TASK_QUEUE,
  startToCloseTimeout: '10m',
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '10s' },
})

export const { indexBatch, publishJob, describeImage, transcribeSegment, planSummary, summarizePart, indexSummary } =
  proxyActivities<TurnActivities>({
    startToCloseTimeout: '30m',
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '10s' },
  })
