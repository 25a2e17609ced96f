// How workflows call activities: the types come from the implementation, the policies from here.
import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow'
import type { TurnActivities } from '../activities/index.ts'
import type { McpCallActivities } from '../activities/mcp/call-tool.ts'
import type { McpHoldActivities } from '../activities/mcp/supervise.ts'
import type { MediaActivities } from '../activities/ingest/media-activities.ts'
import { MCP_TASK_QUEUE, MEDIA_TASK_QUEUE } from '../contracts/temporal.ts'

/** Heartbeat timeout: how soon a killed worker is detected. */
const HEARTBEAT_TIMEOUT = '5s'

/** Database work of a few milliseconds: retried until the database answers. */
export const {
  claimTurn,
  finishTurn,
  abandonToolCall,
  locateMcpServer,
  giveUpMcpCall,
  beginAsk,
  endAsk,
  handOver,
  beginJob,
  finishJob,
} = proxyLocalActivities<TurnActivities>({
  startToCloseTimeout: '10s',
  scheduleToCloseTimeout: '1h',
  retry: { initialInterval: '50ms', backoffCoefficient: 2, maximumInterval: '5s' },
})

/**
 * Temporal retries without a limit, because the death of a worker is not a model failure; the activity itself stops
 * after a fixed number of provider failures (0.5, 1, 2 and 4 s apart, or as Retry-After says). The caller sets the
 * schedule-to-close timeout to the turn's remaining active time.
 */
export const { callModel, routeTurn } = proxyActivities<TurnActivities>({
  startToCloseTimeout: '30m',
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  priority: { priorityKey: 1 },
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '10s' },
})

/** The ledger decides whether a tool may run again; Temporal only delivers the attempt. */
export const { callTool } = proxyActivities<TurnActivities>({
  startToCloseTimeout: '10m',
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  priority: { priorityKey: 1 },
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '10s' },
})

/**
 * Runs on the task queue of the worker that owns the server. The workflow reroutes a call that this worker does not take or
 * finish.
 */
export const { callMcpTool } = proxyActivities<McpCallActivities>({
  scheduleToStartTimeout: '5s',
  // The activity itself bounds the server's execution time; a question of the server may stay open for days.
  startToCloseTimeout: '3650d',
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  priority: { priorityKey: 1 },
  retry: { maximumAttempts: 1 },
})

/**
 * Runs as long as the server exists. The heartbeat interval is long, because there are many servers and most are idle;
 * workers detect each other's death sooner.
 */
export const { superviseMcpServer } = proxyActivities<McpHoldActivities>({
  taskQueue: MCP_TASK_QUEUE,
  startToCloseTimeout: '3650d',
  heartbeatTimeout: '2m',
  cancellationType: 'TRY_CANCEL',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
})

/** CPU-bound work. The activity marks the failure of an unreadable file as final; every other failure is retried. */
export const { inspectFile, parseBatch, prepareImage, readImage, prepareRecording } = proxyActivities<MediaActivities>({
  taskQueue: MEDIA_TASK_QUEUE,
  startToCloseTimeout: '10m',
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '10s' },
})

/** Nothing waits for it: retried until the embedding server and the database answer. */
export const { writeMemories } = proxyActivities<TurnActivities>({
  startToCloseTimeout: '30m',
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '5m' },
})

/** Several batches an attempt; what is stored is not done again. The index of many vectors takes long to build. */
export const { planReembed, embedChunks, takeOverVectors, removeOldVectors } = proxyActivities<TurnActivities>({
  startToCloseTimeout: '6h',
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
