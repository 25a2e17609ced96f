// One tool call: wait until it may be made, run it, or record that it was cancelled or that its outcome is unknown.
import {
  ActivityFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  setCurrentDetails,
  setHandler,
  sleep,
  TimeoutFailure,
} from '@temporalio/workflow'
import type { McpCallInput } from '../contracts/mcp.ts'
import { FAILURE } from '../contracts/temporal.ts'
import type { ToolCallInput, ToolCallResult } from '../contracts/turn.ts'
import { abandonToolCall, callMcpTool, callTool, giveUpMcpCall, locateMcpServer } from './activities.ts'
import { failureOf } from './failures.ts'
import { Gate } from './gate.ts'
import { asked, decided } from './messages.ts'

/** Total time that a call waits for a server without an owner or a connection, in milliseconds; longer for one with a longer start timeout. */
const PATIENCE_MS = 30_000
const MAX_ROUNDS = 100
const MAX_PAUSE_MS = 2_000

export async function toolCall(call: ToolCallInput): Promise<ToolCallResult> {
  const gate = new Gate(call.call_id)
  setHandler(decided, (approvalId) => gate.decided(approvalId))
  setHandler(asked, (approvalId) => gate.asked(approvalId))
  try {
    const { server } = call
    const result =
      server === undefined
        ? await callTool.executeWithOptions({ summary: call.name }, [call])
        : await callServer({ ...call, server }, gate)
    setCurrentDetails(result.outcome)
    return result
  } catch (error) {
    setCurrentDetails(isCancellation(error) ? 'Cancelled' : 'Outcome unknown')
    await CancellationScope.nonCancellable(() => abandonToolCall(call))
    if (isCancellation(error)) throw error
    return { turn_id: call.turn_id, call_id: call.call_id, outcome: 'unknown' }
  } finally {
    // The handler that signals the turn about the last decision may still be running.
    await CancellationScope.nonCancellable(() => condition(allHandlersFinished))
  }
}

/**
 * Routes the call to the worker that owns the server; when that worker has died, to the next owner. The ledger records
 * whether the call was sent.
 */
async function callServer(call: Omit<McpCallInput, 'round'>, gate: Gate): Promise<ToolCallResult> {
  let patience = PATIENCE_MS
  let waited = 0
  for (let round = 1; waited < patience && round <= MAX_ROUNDS; round += 1) {
    const state = await locateMcpServer(call)
    if ('result' in state) return state.result
    if ('approval_id' in state) {
      await gate.wait(state.approval_id)
      continue
    }
    const { queue, patience_ms = PATIENCE_MS } = state
    patience = Math.max(patience, patience_ms)
    const startedAt = Date.now()
    if (queue !== undefined) {
      setCurrentDetails(`Calling ${call.server}`)
      try {
        return await callMcpTool.executeWithOptions({ taskQueue: queue, summary: `${call.server}: ${call.name}` }, [
          { ...call, round },
        ])
      } catch (error) {
        const failure = error instanceof ActivityFailure ? error.cause : error
        await gate.goOn()
        const approvalId = approvalOf(failure)
        if (approvalId !== undefined) {
          await gate.wait(approvalId)
          continue
        }
        if (!isWorthAnother(failure)) throw error
        if (!wasMade(failure)) waited += Date.now() - startedAt
      }
    }
    setCurrentDetails(`Waiting for ${call.server}`)
    const pause = Math.min(250 * 2 ** round, MAX_PAUSE_MS)
    waited += pause
    await sleep(pause)
  }
  return giveUpMcpCall(call)
}

/** The approval that a returned call has to wait for. */
function approvalOf(failure: unknown): string | undefined {
  const typed = failureOf(failure)
  return typed?.type === FAILURE.parked ? (typed.details?.[0] as string | undefined) : undefined
}

/** The worker never took the call, died during it, or returned it. */
function isWorthAnother(failure: unknown): boolean {
  return failure instanceof TimeoutFailure || failureOf(failure)?.nonRetryable === false
}

/** Whether the server was executing meanwhile: that does not count as waiting for it. */
function wasMade(failure: unknown): boolean {
  if (failure instanceof TimeoutFailure) return failure.timeoutType !== 'SCHEDULE_TO_START'
  return failureOf(failure)?.type === FAILURE.broken
}
