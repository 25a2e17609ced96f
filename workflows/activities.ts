// How workflows call activities: the types come from the implementation, the policies from here.
import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow'
import type { TurnActivities } from '../activities/index.ts'
import { FAILURE } from '../contracts/engine.ts'

/** A killed worker is noticed after this long without a heartbeat. */
const HEARTBEAT_TIMEOUT = '5s'

/** Database work of a few milliseconds: repeated until the database answers. */
export const { claimTurn, finishTurn, abandonToolCall } = proxyLocalActivities<TurnActivities>({
  startToCloseTimeout: '10s',
  scheduleToCloseTimeout: '1h',
  retry: { initialInterval: '50ms', backoffCoefficient: 2, maximumInterval: '5s' },
})

/** Attempts at one model before the next of the chain is asked; waits of 0.5, 1, 2 and 4 s, or what Retry-After says. */
const MODEL_ATTEMPTS = 5

export const { callModel } = proxyActivities<TurnActivities>({
  startToCloseTimeout: '30m',
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  priority: { priorityKey: 1 },
  retry: {
    initialInterval: '500ms',
    backoffCoefficient: 2,
    maximumInterval: '30s',
    maximumAttempts: MODEL_ATTEMPTS,
    nonRetryableErrorTypes: [FAILURE.final, FAILURE.internal, FAILURE.stopped],
  },
})

/** The ledger decides whether a tool may run again; the engine only delivers the attempt. */
export const { callTool } = proxyActivities<TurnActivities>({
  startToCloseTimeout: '10m',
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  priority: { priorityKey: 1 },
  retry: { initialInterval: '500ms', maximumInterval: '10s', maximumAttempts: 5, nonRetryableErrorTypes: [FAILURE.stopped] },
})

/** Waits for another run of the engine to end, however long that takes. */
export const { awaitTurn } = proxyActivities<TurnActivities>({
  startToCloseTimeout: '30d',
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  retry: { initialInterval: '1s', maximumInterval: '10s' },
})
